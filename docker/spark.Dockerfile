# Spark's driver (the consumer), its master and its workers: one image, so that Python and the code are the same in all.
# docker build -f docker/spark.Dockerfile -t skywatt-spark .
FROM python:3.11.14-slim-bookworm AS java
# Debian keeps one version of it at a time, with its security fixes: a pinned one would be gone soon.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends openjdk-17-jre-headless procps \
    && rm -rf /var/lib/apt/lists/*

FROM java AS packages
WORKDIR /build
COPY docker/spark.lock .
RUN python -m venv /opt/venv && /opt/venv/bin/pip install --no-cache-dir --require-hashes -r spark.lock
# Kafka's connector, each file with the sum that the lock says.
COPY readings/__init__.py readings/config.py readings/durations.py readings/env_file.py readings/errors.py readings/settings.py readings/
COPY local_stack/__init__.py local_stack/artifacts.py local_stack/artifacts.json local_stack/errors.py local_stack/installed.py local_stack/java.py local_stack/locks.py local_stack/
RUN /opt/venv/bin/python -m local_stack.artifacts /opt/skywatt spark-kafka-4.2.0

FROM java
ENV PATH=/opt/venv/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/app SKYWATT_DATA=/data SKYWATT_HOME=/opt/skywatt
RUN useradd --system --uid 10001 --no-create-home skywatt \
    && install -d -o skywatt -g skywatt /data /var/log/skywatt
WORKDIR /app
COPY --from=packages /opt/venv /opt/venv
COPY --from=packages /opt/skywatt /opt/skywatt
COPY skywatt.yml ./
COPY readings/ readings/
COPY apis/ apis/
COPY spark_consumer/ spark_consumer/
USER 10001
CMD ["python", "-m", "spark_consumer"]
