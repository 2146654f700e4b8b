import pytest

from webhook.scanner.layers.places import Place, leads_to_place, may_hold_places, place_of

PLACES: dict[str, Place | None] = {
    "etc/passwd": "passwd",
    "home/jovyan/a": "home",
    "home/jovyan/.local/bin/start.sh": "home",  # hidden by an empty volume, so no start script
    "etc/services.d/jupyterlab/run": "setting",
    "etc/cont-init.d/01-copy-tmp-home": "setting",
    "etc/s6-overlay/s6-rc.d/nginx/up": "setting",
    "etc/jupyter/jupyter_server_config.py": "setting",
    "usr/local/etc/jupyter/jupyter_server_config.d/x.json": "setting",
    "opt/conda/etc/jupyter/jupyter_notebook_config.py": "setting",
    "opt/venv/etc/jupyter/jupyter_config.json": "setting",
    "init": "script",
    "start.sh": "script",
    "usr/bin/start": "script",
    "usr/local/bin/start-notebook.d/hook.sh": "script",
    "opt/conda/bin/jupyter": "script",
    "opt/conda/envs/py310/bin/jupyter": "script",
    "usr/sbin/nginx-start": "script",
    "opt/run": "script",
    "opt/app/serve": "script",
    "usr/local/start": "script",
    "start-hooks/a/b": "script",
    "app/entrypoint.sh": "script",
    "srv/app/docker-entrypoint.py": "script",
    "srv/app/start": "script",
    "etc": "script",  # as far as it is a file
    "home": "script",
    "home/jovyan": None,
    "home/jovyanne/a": None,
    "home/other/a": None,
    "etc/passwd-": None,
    "etc/services.d": None,
    "etc/jupyter/logo.png": None,
    "usr/share/doc/start": None,
    "usr/lib/python3/site.py": None,
    "a/b/c/d/e/f/bin/x": None,
    "opt/conda/lib/python3.11/site-packages/x.py": None,
    "srv/app/started.txt": None,
    "var/cabin/x": None,
}


@pytest.mark.parametrize(("path", "place"), PLACES.items())
def test_paths_belong_to_the_places_that_the_table_has(path: str, place: Place | None) -> None:
    assert place_of(path) == place


@pytest.mark.parametrize("path", [path for path, place in PLACES.items() if place])
def test_removing_a_place_or_any_folder_that_leads_to_it_is_seen(path: str) -> None:
    parts = path.split("/")
    for count in range(1, len(parts) + 1):
        assert leads_to_place("/".join(parts[:count]))


@pytest.mark.parametrize("path", ["usr/lib/python3/dist-packages/x", "opt/conda/lib/libz.so.1/x"])
def test_removing_something_deep_elsewhere_is_not_kept(path: str) -> None:
    assert not leads_to_place(path)


@pytest.mark.parametrize(
    "path",
    [
        "etc",
        "home",
        "home/jovyan",
        "etc/services.d",
        "opt/conda",
        "usr/local/bin",
        "opt/conda/etc/jupyter",
    ],
)
def test_folders_that_lead_to_places_are_known(path: str) -> None:
    assert may_hold_places(path)


def test_most_files_are_not_kept() -> None:
    assert not may_hold_places("usr/lib/x86_64-linux-gnu")
    assert not may_hold_places("usr/share/doc/copyright")
