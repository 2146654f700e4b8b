# nbgate's image: two stages, no compiler in the second, not root, and fit for a read-only root file system.
# The base needs Python 3.11 or newer as python3, with venv.
ARG BASE=docker.io/library/python:3.13-slim-bookworm

FROM ${BASE} AS build
WORKDIR /src
COPY requirements/runtime.txt requirements/build.txt requirements/
RUN python3 -m venv /opt/nbgate \
    && /opt/nbgate/bin/pip install --no-cache-dir --require-hashes -r requirements/runtime.txt \
    && python3 -m venv /opt/build \
    && /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY webhook webhook
COPY certs certs
# The wheel is built offline by the locked backend; the second venv stays behind with it.
RUN /opt/build/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir /tmp/wheel . \
    && /opt/nbgate/bin/pip install --no-cache-dir --no-deps --no-index /tmp/wheel/*.whl \
    && /opt/nbgate/bin/python -m compileall -q /opt/nbgate/lib

FROM ${BASE}
LABEL org.opencontainers.image.title="nbgate" \
      org.opencontainers.image.description="Admission webhook for Kubeflow notebooks" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/nbgate /opt/nbgate
# State (scans, policy, certificates) is mounted here, or with --tls self written here: give it a volume.
ENV PATH=/opt/nbgate/bin:$PATH \
    NBGATE_HOME=/var/lib/nbgate \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# A number, so that runAsNonRoot can tell; no such user need exist.
USER 65532:65532
EXPOSE 8443
ENTRYPOINT ["nbgate"]
CMD ["serve"]
