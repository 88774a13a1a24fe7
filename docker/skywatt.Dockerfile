# The producer, the alert engine and elk: the rooms that need neither Java nor the sciences.
# docker build -f docker/skywatt.Dockerfile -t skywatt .
FROM python:3.11.14-slim-bookworm AS packages
WORKDIR /build
COPY docker/skywatt.lock .
RUN python -m venv /opt/venv && /opt/venv/bin/pip install --no-cache-dir --require-hashes -r skywatt.lock

FROM python:3.11.14-slim-bookworm
ENV PATH=/opt/venv/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    SKYWATT_DATA=/data SKYWATT_HOME=/opt/skywatt
RUN useradd --system --uid 10001 --no-create-home skywatt \
    && install -d -o skywatt -g skywatt /data /var/log/skywatt
WORKDIR /app
COPY --from=packages /opt/venv /opt/venv
COPY skywatt.yml ./
COPY recordings/ recordings/
COPY readings/ readings/
COPY apis/ apis/
COPY producer/ producer/
COPY alerts/ alerts/
COPY elk/ elk/
USER 10001
ENTRYPOINT ["python", "-m"]
CMD ["producer", "serve"]
