"""The HTTP service and the command ``kgl``. No rule about records or accounts is decided here."""
