# Two images: `train` adapts and exports a model, `serve` runs it and holds no PyTorch.
ARG WHEELS=scratch

# An image whose root holds wheel files to install from, if one is named; otherwise empty.
FROM ${WHEELS} AS wheels

FROM python:3.11-slim AS base
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 \
    ORT_DISABLE_TELEMETRY=1 MLFLOW_DISABLE_TELEMETRY=true
WORKDIR /app
RUN useradd --uid 10001 --create-home rn \
 && mkdir -p /bundles /ledger \
 && chown rn:rn /bundles /ledger
# Dependencies are installed before the code is copied, so that a change of the code does not fetch them again.
COPY pyproject.toml constraints.txt constraints-gpu.txt README.md LICENSE ./
RUN for package in bundle export rn rn_model service; do mkdir $package && touch $package/__init__.py; done

# The page of the service, built by a Node.js that stays in this stage.
FROM base AS page
COPY scripts/build_page.py scripts/build_page.py
COPY page page/
RUN python scripts/build_page.py

FROM base AS train
RUN --mount=type=bind,from=wheels,target=/wheels \
    pip install --find-links /wheels --constraint constraints.txt '.[train,cpu]'
COPY bundle bundle
COPY export export
COPY rn rn
COPY rn_model rn_model
COPY service service
RUN rm -rf build && pip install --no-deps --force-reinstall .
USER rn
ENTRYPOINT ["rn"]

FROM base AS serve
# cpu or gpu; gpu needs the NVIDIA container toolkit on the host.
ARG RUNTIME=cpu
RUN pip install --constraint constraints.txt --constraint constraints-gpu.txt ".[${RUNTIME},postgres]"
COPY bundle bundle
COPY export export
COPY rn rn
COPY rn_model rn_model
COPY service service
COPY --from=page /app/service/api/page/static service/api/page/static
RUN rm -rf build && pip install --no-deps --force-reinstall .
USER rn
ENV RN_HOST=0.0.0.0 RN_PORT=8000 RN_BUNDLE=/bundles/digits RN_LEDGER=sqlite:////ledger/ledger.sqlite
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["rn", "health"]
ENTRYPOINT ["rn"]
CMD ["serve"]
