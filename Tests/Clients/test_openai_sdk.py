"""The OpenAI SDK: it can list models; chat completions are not there in this version, and say so."""

from __future__ import annotations

import openai
import pytest

from harness.backend import Backend
from harness.daemon import Daemon, backend_config


def test_models_are_listed_and_chat_completions_are_an_honest_404() -> None:
    with Backend(models=["alpha", "beta"]) as backend, Daemon(backend_config(backend.url)) as daemon:
        with openai.OpenAI(
            base_url=daemon.url + "/v1", api_key="made-up", max_retries=0, _strict_response_validation=True
        ) as client:
            assert [model.id for model in client.models.list()] == ["alpha", "beta"]
            assert client.models.retrieve("alpha").object == "model"
            with pytest.raises(openai.NotFoundError) as raised:
                client.chat.completions.create(model="alpha", messages=[{"role": "user", "content": "Hello"}])
            assert raised.value.status_code == 404 and "/v1/chat/completions" in raised.value.message
        assert backend.turns == []
