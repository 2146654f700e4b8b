import pytest

from webhook.scanner.errors import BadContent
from webhook.scanner.layers import merging
from webhook.scanner.layers.contents import HomeEntry, LayerContents
from webhook.scanner.layers.merging import Merge

NAME = "bin/" + "x" * 4000


def layer_of_names(number: int, count: int) -> LayerContents:
    return LayerContents(hidden=frozenset(f"{NAME}{number}-{n}" for n in range(count)))


def test_all_layers_together_have_a_limit() -> None:
    merge = Merge()
    fits = merging.MAX_KEPT // (len(NAME) + 120)
    merge.add(layer_of_names(0, fits))
    with pytest.raises(BadContent, match="64 MiB of names"):
        merge.add(layer_of_names(1, fits // 10))


def test_what_is_named_again_is_kept_once() -> None:
    merge = Merge()
    for _ in range(100):
        merge.add(layer_of_names(0, 1000))


def test_names_in_the_home_count_too() -> None:
    merge = Merge()
    home = {f"{NAME[4:]}{n}": HomeEntry(files=0, size=0) for n in range(20_000)}
    with pytest.raises(BadContent, match="64 MiB of names"):
        merge.add(LayerContents(home=home))
