# Our own image: every process of ours is this image with another `still` command.
FROM python:3.11-slim AS build
COPY --from=ghcr.io/astral-sh/uv:0.9 /uv /bin/uv
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY schemas schemas
COPY streams streams
COPY sinks sinks
COPY trainers trainers
COPY serving serving
COPY still still
# EXTRAS=train for the trainer; the worker and the sink need none.
ARG EXTRAS=""
RUN uv venv /venv && uv pip install --python /venv/bin/python --constraint constraints.txt ".${EXTRAS:+[$EXTRAS]}"

FROM python:3.11-slim
# A named volume takes the owner of the folder that it covers: these two must be the user's before it is mounted.
RUN useradd --create-home --uid 10001 still && install -d -o still /data /registry
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 STILL_FOLDER=/data
USER still
WORKDIR /data
VOLUME /data
ENTRYPOINT ["still"]
CMD ["--help"]
