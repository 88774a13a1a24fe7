"""Kibana's dashboards as code: ``boards`` says what is shown, the other modules how Kibana spells it.

``python -m elk.kibana write`` makes ``dashboards.ndjson`` of them, which a test keeps equal; ``python -m elk.kibana
import`` puts it into a Kibana. The shapes are those of Kibana 8.9, which every Kibana from 8.12 on brings up to date.
"""
