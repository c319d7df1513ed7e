"""Server side of MQTT: takes messages in, stores them once, gives receipts."""
