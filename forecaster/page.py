"""A page for people: FastAPI's own loads scripts from outside, which a closed network does not have."""

PAGE = """<!doctype html><title>Skywatt forecaster</title><meta name="viewport" content="width=device-width">
<style>body{font:16px/1.5 system-ui;max-width:46rem;margin:2rem auto;padding:0 1rem}pre{background:#eef2f6;padding:1rem;
overflow:auto}</style><h1>Skywatt forecaster</h1><p>Temperatures of a place in, the next 48 hours out
(<code>horizon</code>: 1 to 168), each with its 80 % interval.
<code>POST /forecast/</code> takes a list of series of temperature, demand,
production, price or power. Described for machines in <a href="/openapi.json">/openapi.json</a>;
<a href="/health">/health</a>, <a href="/metrics">/metrics</a>.</p>
<pre>curl -s localhost:8000/predict/ -H 'content-type: application/json' -d '
{"latitude": 60.39, "longitude": 5.32, "data": [
  {"ds": "2026-11-24T11:00:00Z", "y": 4.1}, {"ds": "2026-11-24T12:00:00Z", "y": 4.6}]}'</pre>"""
