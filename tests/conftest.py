from hypothesis import settings

# A slow or busy machine is not a failing test.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")
