import time

import pytest

from webhook.scanner.layers.contents import Mention
from webhook.scanner.layers.mentions import find_mentions

# /etc/cont-init.d/01-copy-tmp-home of Kubeflow's images does this.
KUBEFLOW_HOME = b"#!/usr/bin/with-contenv bash\ncp -n -r /tmp_home/* /home/${NB_USER}\n"
KUBEFLOW_RUN = b"""#!/usr/bin/with-contenv bash
exec jupyter lab --ip=0.0.0.0 --port=8888 --ServerApp.allow_origin="*" \\
  --ServerApp.base_url="${NB_PREFIX}"
"""


def test_what_kubeflows_service_scripts_mention_is_found() -> None:
    assert find_mentions(KUBEFLOW_HOME) == {"tmp_home"}
    assert find_mentions(KUBEFLOW_RUN) == {"NB_PREFIX", "8888", "allow_origin"}


@pytest.mark.parametrize(
    ("text", "mention"),
    [
        (b"${NB_PREFIX:-/}", "NB_PREFIX"),
        (b"--port=8888", "8888"),
        (b"8888", "8888"),
        (b"0.0.0.0:8888;", "8888"),
        (b"c.ServerApp.allow_origin = '*'", "allow_origin"),
        (b"access-control-ALLOW-origin: *", "allow_origin"),
        (b"ls /tmp_home", "tmp_home"),
        (b"cp -rn /opt/skel/. /home/jovyan/", "tmp_home"),
        (b"x\nrsync -a /a/ ${HOME}\n", "tmp_home"),
        (b"cp -r /etc/skel/. $HOME", "tmp_home"),
        (b"[ -d /x ] && cp -r /x /home/$NB_USER/", "tmp_home"),
    ],
)
def test_words_that_matter_are_found(text: bytes, mention: Mention) -> None:
    assert find_mentions(text) == {mention}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"NB_PREFI",
        b"--port=18888",
        b"88880",
        b"cd /home/jovyan",
        b"cp a b\ncd /home/jovyan",
        b"cd /home/jovyan; cp a b",
        b"scp x /home/jovyan",
        b"cp a $HOMEPAGE",
        b"tmp_home",
    ],
)
def test_words_that_are_like_them_are_not(text: bytes) -> None:
    assert find_mentions(text) == frozenset()


@pytest.mark.parametrize(
    "pattern",
    [b"cp ", b"$HOME ", b"$HOME cp ", b"cp\n", b"8888 8", b"18888", b"$HOME\n", b"allow_"],
)
def test_no_file_takes_longer_than_its_size(pattern: bytes) -> None:
    data = (pattern * (65536 // len(pattern) + 1))[:65536]
    started = time.perf_counter()
    for _ in range(10):
        find_mentions(data)
    assert time.perf_counter() - started < 1  # quadratic, one alone takes ten seconds
