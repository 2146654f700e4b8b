"""NotebookPolicy: what the platform team wants. Everything is optional; the defaults are the default policy.

The same model reads the file and, in a cluster, the custom resource. It is strict: unknown fields, wrong types and
impossible values are refused, all at once, each with its path.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)

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
    ImagePattern, PlainValidator(_pattern), AsText, WithJsonSchema({"type": "string"})
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


Rule = Annotated[str, AfterValidator(_rule)]


def _not_empty(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise ValueError("must not be empty; leave it out for all rules but reference and registry")
    return value


def _matching(pattern: str, problem: str) -> AfterValidator:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(problem)
        return value

    return AfterValidator(check)


_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
Namespace = Annotated[str, _matching(_LABEL, "must be the exact name of a namespace")]
ExemptionName = Annotated[
    str, _matching(_LABEL, "must be lower-case letters, digits and -: it labels a metric")
]
ResourceName = Annotated[
    str,
    _matching(
        r"[a-z0-9]([-a-z0-9.]{0,250}[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?",
        'must be an extended resource like "nvidia.com/gpu"',
    ),
]
# resource.Quantity (k8s.io/apimachinery), without the exponent form that nobody writes for a disk
Quantity = Annotated[
    str,
    _matching(r"[0-9]{1,15}(\.[0-9]{1,3})?([KMGTPE]i|[kMGTPE])?", 'must be a quantity like "10Gi"'),
]
HomePath = Annotated[
    str, _matching(r"(/[A-Za-z0-9._-]{1,60}){1,8}", "must be an absolute path without a trailing /")
]
HelpURL = Annotated[
    str,
    _matching(
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


class Stale(Strict):
    """When a scan is too old, and what that means."""

    after: Duration = "168h"
    action: ActionField = Action.WARN

    @cached_property
    def seconds(self) -> int:
        """The age from which a result is stale."""
        return parse_duration(self.after)


class Registries(Strict):
    """Where images may come from; an empty list allows any."""

    allow: tuple[Pattern, ...] = Field(default=(), strict=False)
    action: ActionField = Action.DENY


class Home(Strict):
    """Where the home is mounted, from which claim, and what happens where there is none."""

    path: HomePath = "/home/jovyan"
    claim: Annotated[str, AfterValidator(_claim)] = "{notebook}-workspace"
    fallback: Literal["EmptyDir", "None"] = "EmptyDir"
    size_limit: Quantity | None = "10Gi"


class Toleration(Strict):
    """A toleration that GPU nodes need (core/v1 Toleration)."""

    key: str | None = None
    operator: Literal["Exists", "Equal"] | None = None
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    toleration_seconds: int | None = None


class GPU(Strict):
    """What a CUDA image gets that asks for no GPU itself."""

    action: Literal["Add", "Hide", "Off"] = "Add"
    resource: ResourceName = "nvidia.com/gpu"
    count: Annotated[int, Field(ge=1, le=64)] = 1
    patterns: tuple[Pattern, ...] = Field(default=(), strict=False)
    tolerations: tuple[Toleration, ...] = Field(default=(), strict=False)
    runtime_class_name: (
        Annotated[str, _matching(_LABEL, "must be a RuntimeClass's name")] | None
    ) = None


class PodPatches(Strict):
    """What nbgate patches into a notebook's pod; null or false leaves a thing alone."""

    pin_digest: bool = True
    nb_prefix: bool = True
    run_as_user: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = 1000
    fs_group: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = 100
    home: Home | None = Home()
    gpu: GPU = GPU()


class Exemption(Strict):
    """Rules that the platform team waives, for some images in some namespaces, until a day."""

    name: ExemptionName
    namespaces: tuple[Namespace, ...] = Field(default=(), strict=False)
    images: tuple[Pattern, ...] = Field(default=(), strict=False)
    requirements: Annotated[tuple[Rule, ...], AfterValidator(_not_empty)] | None = Field(
        default=None, strict=False
    )
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
    """The policy proper."""

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
        names = [exemption.name for exemption in self.exemptions]
        twice = sorted({name for name in names if names.count(name) > 1})
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
        mode: the strongest action that a violated requirement leads to: what the policy does at its strictest.
        valid: whether every replica can follow it; the condition `Valid` says why not.
        in_force: whether it is the one that is followed: the policy with the name `default` is, and no other.
    """

    observed_generation: int | None = None
    mode: Literal["Deny", "Warn", "Audit", "Off"] | None = None
    valid: bool | None = None
    in_force: bool | None = None
    conditions: tuple[Condition, ...] = Field(default=(), strict=False, max_length=64)


class PolicyDocument(Strict):
    """A NotebookPolicy document as it stands in a file or in the cluster."""

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
