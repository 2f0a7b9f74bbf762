"""The engine that asks a language model: prompt, client, batches, cases and governance. It knows no profile and no room."""
