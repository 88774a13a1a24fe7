from hypothesis import HealthCheck, settings

# A busy machine is no error: no test is judged by how long an example took.
settings.register_profile("skywatt", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("skywatt")
