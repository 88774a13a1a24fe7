"""The five dashboards, in the order of Kibana's list."""

from elk.kibana.boards import arrivals, market, meters, production, weather

DASHBOARDS = (arrivals.DASHBOARD, weather.DASHBOARD, production.DASHBOARD, meters.DASHBOARD, market.DASHBOARD)
