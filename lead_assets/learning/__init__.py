"""Learns from outcomes which leads are won. Tables in, a model and its honest measure out; knows no room and no Dagster."""
