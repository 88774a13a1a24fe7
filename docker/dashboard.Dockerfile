# The dashboard: what people look at. It reads MongoDB, and MQTT where that is set.
# docker build -f docker/dashboard.Dockerfile -t skywatt-dashboard .
FROM python:3.11.14-slim-bookworm AS packages
WORKDIR /build
COPY docker/dashboard.lock .
RUN python -m venv /opt/venv && /opt/venv/bin/pip install --no-cache-dir --require-hashes -r dashboard.lock

FROM python:3.11.14-slim-bookworm
ENV PATH=/opt/venv/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    SKYWATT_DATA=/data SKYWATT_HOME=/opt/skywatt
RUN useradd --system --uid 10001 --no-create-home skywatt \
    && install -d -o skywatt -g skywatt /var/log/skywatt
WORKDIR /app
COPY --from=packages /opt/venv /opt/venv
COPY skywatt.yml ./
COPY readings/ readings/
COPY dashboard/ dashboard/
USER 10001
EXPOSE 8501
ENTRYPOINT ["python", "-m"]
CMD ["dashboard", "--host", "0.0.0.0"]
