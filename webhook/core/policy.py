"""NotebookPolicy: what the platform team wants. Everything is optional; the defaults are the default policy.

The same model reads the file and, in a cluster, the custom resource. It is strict: unknown fields, wrong types and
impossible values are refused, all at once, each with its path.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core.core_schema import CoreSchema, no_info_after_validator_function

from webhook.core.actions import Action
from webhook.core.document import (
    API_VERSION,
    AsText,
    Condition,
    Duration,
    Lenient,
    ObjectMeta,
    Strict,
    parse_duration,
    validate,
)
from webhook.core.imagepattern import ImagePattern, compile_pattern
from webhook.core.reference import MAX_LENGTH
from webhook.core.requirements import DEFAULT_HELP_URL, EXEMPT_BY_DEFAULT, RULES, Requirement

_WORDS = tuple(action.label for action in reversed(Action))


def _action(value: object) -> Action:
    if value is False:
        # YAML 1.1 readers, kubectl's among them, take a bare Off for false.
        raise ValueError(
            'must be one of Deny, Warn, Audit, Off; quote "Off", YAML reads it as false'
        )
    if not isinstance(value, str):
        raise ValueError(f"must be one of {', '.join(_WORDS)}")  # noqa: TRY004 - pydantic collects ValueError
    return Action.from_label(value)


def _label(action: Action) -> str:
    return action.label


ActionField = Annotated[
    Action,
    PlainValidator(_action),
    PlainSerializer(_label, return_type=str),
    WithJsonSchema({"type": "string", "enum": list(_WORDS)}),
]


def _pattern(value: object) -> ImagePattern:
    if not isinstance(value, str):
        raise ValueError("must be text")  # noqa: TRY004 - pydantic collects ValueError
    return compile_pattern(value)


Pattern = Annotated[
    ImagePattern,
    PlainValidator(_pattern),
    AsText,
    WithJsonSchema(
        {"type": "string", "minLength": 1, "maxLength": MAX_LENGTH, "pattern": "^[!-~]+$"}
    ),
]


def _day(value: object) -> date:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        try:
            day = date.fromisoformat(value)
        except ValueError:
            pass
        else:
            if day.year < 9999:  # the day after must still be a day
                return day
    raise ValueError('must be a day like "2027-03-31"')


Day = Annotated[
    date, PlainValidator(_day), AsText, WithJsonSchema({"type": "string", "format": "date"})
]


def _rule(value: str) -> str:
    if value not in RULES:
        raise ValueError(f"must be a rule id: {', '.join(RULES)}")
    return value


Rule = Annotated[
    str, AfterValidator(_rule), WithJsonSchema({"type": "string", "enum": list(RULES)})
]


def _not_empty(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise ValueError("must not be empty; leave it out for all rules but reference and registry")
    return value


RuleList = Annotated[
    tuple[Rule, ...],
    AfterValidator(_not_empty),
    Field(json_schema_extra={"minItems": 1}),
]


@dataclass(frozen=True, slots=True)
class _Matching:
    """What a whole text must match, for the model and for its JSON schema; `problem` says it in words."""

    pattern: str
    problem: str

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        compiled = re.compile(self.pattern)

        def check(value: str) -> str:
            if not compiled.fullmatch(value):
                raise ValueError(self.problem)
            return value

        return no_info_after_validator_function(check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), "pattern": f"^({self.pattern})$"}


_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
Namespace = Annotated[str, _Matching(_LABEL, "must be the exact name of a namespace")]
ExemptionName = Annotated[
    str, _Matching(_LABEL, "must be lower-case letters, digits and -: it labels a metric")
]
ResourceName = Annotated[
    str,
    _Matching(
        r"[a-z0-9]([-a-z0-9.]{0,250}[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?",
        'must be an extended resource like "nvidia.com/gpu"',
    ),
]
# resource.Quantity (k8s.io/apimachinery), without the exponent form that nobody writes for a disk
Quantity = Annotated[
    str,
    _Matching(r"[0-9]{1,15}(\.[0-9]{1,3})?([KMGTPE]i|[kMGTPE])?", 'must be a quantity like "10Gi"'),
]
HomePath = Annotated[
    str, _Matching(r"(/[A-Za-z0-9._-]{1,60}){1,8}", "must be an absolute path without a trailing /")
]
HelpURL = Annotated[
    str,
    _Matching(
        r"|https?://[!-~]{1,180}", "must be empty or an http(s) address of at most 188 characters"
    ),
]


def _claim(value: str) -> str:
    rest = value.replace("{notebook}", "nb")
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9.]{0,200}[a-z0-9])?", rest):
        raise ValueError(
            "must be a claim's name, in which {notebook} stands for the notebook's: \"{notebook}-workspace\""
        )
    return value


Claim = Annotated[
    str,
    AfterValidator(_claim),
    WithJsonSchema({"type": "string", "pattern": r"^[-a-z0-9.{}]+$"}),
]


class Stale(Strict):
    """When a scan is too old, and what that means.

    Attributes:
        after: a duration in hours, minutes and seconds; 168h where it is left out. Of a tag it is also the age of its
            last resolution to a digest.
        action: what a stale result means; Warn where it is left out. On a Notebook at most Warn.
    """

    after: Duration = "168h"
    action: ActionField = Action.WARN

    @cached_property
    def seconds(self) -> int:
        """The age from which a result is stale."""
        return parse_duration(self.after)


class Registries(Strict):
    """Where images may come from; an empty list allows any.

    Attributes:
        allow: patterns on whole path components, such as ghcr.io/kubeflow/**, asked of every container's image, those
            of injected sidecars too. Left out or empty, images may come from anywhere.
        action: what another registry means; Deny where it is left out.
    """

    allow: tuple[Pattern, ...] = Field(default=(), strict=False)
    action: ActionField = Action.DENY


class Home(Strict):
    """Where the home is mounted, from which claim, and what happens where there is none.

    Attributes:
        path: an absolute path; /home/jovyan where it is left out.
        claim: the claim's name, in which {notebook} stands for the notebook's; "{notebook}-workspace" where it is left
            out. "workspace-{notebook}", Kubeflow's name up to v1.4, is always tried too.
        fallback: what happens where the pod has no volume of that claim; EmptyDir where it is left out.
        size_limit: how large that emptyDir may grow, a quantity; 10Gi where it is left out, null for no limit.
    """

    path: HomePath = "/home/jovyan"
    claim: Claim = "{notebook}-workspace"
    fallback: Literal["EmptyDir", "None"] = "EmptyDir"
    size_limit: Quantity | None = "10Gi"


class Toleration(Strict):
    """A toleration that GPU nodes need (core/v1 Toleration).

    Attributes:
        key: as in a pod.
        operator: as in a pod.
        value: as in a pod.
        effect: as in a pod.
        toleration_seconds: as in a pod.
    """

    key: str | None = None
    operator: Literal["Exists", "Equal"] | None = None
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    toleration_seconds: int | None = None


class GPU(Strict):
    """What a CUDA image gets that asks for no GPU itself.

    Attributes:
        action: Add gives it a limit, Hide lets it see none of the node's GPUs, "Off" leaves it alone; Add where it is
            left out. Quote "Off": YAML reads it as false.
        resource: the limit that is added, an extended resource; nvidia.com/gpu where it is left out.
        count: the limit's quantity; 1 where it is left out.
        patterns: more images that count as CUDA images, where no scan says what they are.
        tolerations: added to the pod together with the limit, where missing.
        runtime_class_name: set together with the limit, where the pod names none; null sets none.
    """

    action: Literal["Add", "Hide", "Off"] = "Add"
    resource: ResourceName = "nvidia.com/gpu"
    count: Annotated[int, Field(ge=1, le=64)] = 1
    patterns: tuple[Pattern, ...] = Field(default=(), strict=False)
    tolerations: tuple[Toleration, ...] = Field(default=(), strict=False)
    runtime_class_name: (
        Annotated[str, _Matching(_LABEL, "must be a RuntimeClass's name")] | None
    ) = None


class PodPatches(Strict):
    """What nbgate patches into a notebook's pod; null or false leaves a thing alone.

    Attributes:
        pin_digest: whether the image is written with the digest that was scanned; true where it is left out.
        nb_prefix: whether NB_PREFIX is set to /notebook/<namespace>/<notebook>; true where it is left out.
        run_as_user: of the notebook's container; 1000 where it is left out, null leaves it alone (OpenShift).
        fs_group: of the pod, only where it has none; 100 where it is left out, null leaves it alone.
        home: where the home is mounted; null mounts nothing and asks nothing.
        gpu: what a CUDA image gets that asks for no GPU.
    """

    pin_digest: bool = True
    nb_prefix: bool = True
    run_as_user: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = 1000
    fs_group: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = 100
    home: Home | None = Home()
    gpu: GPU = GPU()


class Exemption(Strict):
    """Rules that the platform team waives, for some images in some namespaces, until a day.

    Attributes:
        name: names it in records, warnings and metrics.
        namespaces: exact names; all where it is left out, but then images must be named.
        images: patterns, as in registries.allow; all where it is left out, but then namespaces must be named.
        requirements: the ids of the rules that it waives; all but reference and registry where it is left out.
        reason: why. The notebook's owner sees it in a warning.
        expires: its last day, such as 2027-03-31; it ends when that day ends, UTC.
    """

    name: ExemptionName
    namespaces: tuple[Namespace, ...] = Field(default=(), strict=False)
    images: tuple[Pattern, ...] = Field(default=(), strict=False)
    requirements: RuleList | None = Field(default=None, strict=False)
    reason: Annotated[str, Field(min_length=1, max_length=500)]
    expires: Day

    @model_validator(mode="after")
    def _narrow(self) -> "Exemption":
        if not self.namespaces and not self.images:
            raise ValueError(
                "names neither namespaces nor images: it would waive its rules everywhere"
            )
        return self

    def waives(self, rule: str, namespace: str, now: float) -> bool:
        """Tell whether it waives `rule` in this namespace, for the images that it names; an empty list names all.

        It holds to the end of its last day, UTC.
        """
        rules = EXEMPT_BY_DEFAULT if self.requirements is None else self.requirements
        named = not self.namespaces or namespace in self.namespaces
        return named and rule in rules and now < self.ends

    @property
    def ends(self) -> float:
        """The first second, since the epoch, at which it waives nothing any more."""
        midnight = datetime(self.expires.year, self.expires.month, self.expires.day, tzinfo=UTC)
        return (midnight + timedelta(days=1)).timestamp()


class PolicySpec(Strict):
    """The policy proper: everything is optional, and what is left out is as in the default policy.

    Attributes:
        requirements: what it means when an image does not meet one of the seven; Deny for each that is left out.
        accept_rewrite: whether an image that answers at / only is accepted, for Istio rewrites the path; true where it
            is left out.
        unknown: what a check means whose result is Unknown; Warn where it is left out.
        unscanned: what an image without a scan means; Deny where it is left out. On a Notebook at most Warn.
        request_scans: whether a scan of such an image is asked for; true where it is left out.
        stale: when a scan is too old, and what that means.
        registries: where images may come from; from anywhere where it is left out.
        pod: what is patched into a notebook's pod when it is created, and then asked of the final pod. To change
            something here to null use kubectl apply --server-side, or kubectl replace: a plain apply takes the null for
            "remove this", and what is not there has its default.
        help_url: ends each refusal; the project's docs/requirements.md where it is left out or empty.
        exemptions: rules that are waived, for some images in some namespaces, until a day.
    """

    requirements: dict[Requirement, ActionField] = Field(default_factory=dict)
    accept_rewrite: bool = True
    unknown: ActionField = Action.WARN
    unscanned: ActionField = Action.DENY
    request_scans: bool = True
    stale: Stale = Stale()
    registries: Registries = Registries()
    pod: PodPatches = PodPatches()
    help_url: HelpURL = Field(default="", alias="helpURL")
    exemptions: tuple[Exemption, ...] = Field(default=(), strict=False)

    @model_validator(mode="after")
    def _names_once(self) -> "PolicySpec":
        names = Counter(exemption.name for exemption in self.exemptions)
        twice = sorted(name for name, times in names.items() if times > 1)
        if twice:
            raise ValueError(
                f"exemptions: the name {twice[0]} stands twice; a record must tell them apart"
            )
        return self

    def action_for(self, requirement: Requirement) -> Action:
        """Say what failing a requirement means; what the policy does not name is denied."""
        return self.requirements.get(requirement, Action.DENY)

    @property
    def help(self) -> str:
        """The address that ends each denial."""
        return self.help_url or DEFAULT_HELP_URL


class PolicyStatus(Lenient):
    """What the controller says of a policy.

    Attributes:
        observed_generation: the generation of the spec that this tells of.
        mode: the strongest action that a violated requirement leads to: what the policy does at its strictest.
        valid: whether every replica can follow it; the condition `Valid` says why not.
        in_force: whether it is the one that is followed: the policy with the name `default` is, and no other.
        conditions: by Kubernetes' conventions.
    """

    observed_generation: int | None = None
    mode: Literal["Deny", "Warn", "Audit", "Off"] | None = None
    valid: bool | None = None
    in_force: bool | None = None
    conditions: tuple[Condition, ...] = Field(default=(), strict=False, max_length=64)


class PolicyDocument(Strict):
    """What the platform team wants of notebooks' images and pods. The one with the name default is followed.

    Attributes:
        api_version: the version of this format.
        kind: NotebookPolicy.
        metadata: Kubernetes' own.
        spec: the policy proper; the default policy where it is left out.
        status: what the controller says of it.
    """

    api_version: Literal["nbgate.dev/v1alpha1"]
    kind: Literal["NotebookPolicy"]
    metadata: ObjectMeta
    spec: PolicySpec = PolicySpec()
    status: dict[str, Any] | None = (
        None  # what stands there makes no policy wrong; see PolicyStatus
    )


def read_policy(document: Mapping[str, Any]) -> PolicyDocument:
    """Read a policy document. Raises InvalidDocument with every fault."""
    return validate(PolicyDocument, document)


DEFAULT_POLICY = PolicyDocument(
    api_version=API_VERSION, kind="NotebookPolicy", metadata=ObjectMeta(name="default")
)
