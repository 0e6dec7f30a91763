"""OpenAI specs for Boards, as data; nothing here is imported."""
