"""The engine that asks a language model: prompt, client, batches, cases and governance. It does not know profiles or rooms."""
