# VeCAF Studio: the server and its worker in one container, data in one volume.
#   docker build -t vecaf-studio .
#   docker run --network host -v vecaf:/data vecaf-studio
# The container needs the host network. Without accounts, the studio listens only on 127.0.0.1. A
# published port cannot reach that address, and without accounts the studio must not listen on a
# public one. For accounts and PostgreSQL, use docker-compose.yml.
FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    VECAF_HOME=/data

WORKDIR /studio
# With --build-arg CLUSTER=1, the image can also run on a Ray cluster (deploy/README.md).
ARG CLUSTER=
COPY requirements.txt requirements-cluster.txt constraints.txt ./
RUN pip install -r requirements.txt ${CLUSTER:+-r requirements-cluster.txt} -c constraints.txt

COPY app app
COPY vecaf vecaf
COPY LICENSE README.md ./

RUN useradd --create-home --uid 10001 vecaf \
    && mkdir /data \
    && chown vecaf:vecaf /data
USER vecaf
VOLUME /data

HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import ssl, urllib.request as u\nfor way in 'http', 'https':\n  try: u.urlopen(way + '://127.0.0.1:7860/healthz', timeout=4, context=ssl._create_unverified_context()); break\n  except OSError: pass\nelse: raise SystemExit(1)"]

ENTRYPOINT ["python", "-m", "app"]
