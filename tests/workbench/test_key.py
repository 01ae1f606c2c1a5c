"""API keys that `make key` makes."""

from __future__ import annotations

import hashlib
import re

import pytest

from model_service.web.settings import Settings, SettingsError
from workbench.key import new_key


def test_a_key_is_new_each_time_and_its_hash_is_what_the_service_takes() -> None:
    shown = [re.findall(r"^    (?:.*API_KEYS=)?(\S+)$", new_key(), re.M) for _ in range(2)]
    for key, digest, *_ in shown:
        assert len(key) == 43  # 256 bits
        hashes = Settings.from_environment({"API_KEYS": digest}).api_keys
        assert hashes == (hashlib.sha256(key.encode()).digest(),)
        with pytest.raises(SettingsError):
            Settings.from_environment({"API_KEYS": key})
    assert shown[0][0] != shown[1][0]
