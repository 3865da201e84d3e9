"""Registers the environment with Gymnasium; importing this module is all it takes.

`gymnasium.make("ebbflow.envs.registration:ebbflow/Fleet-v0", scenario="home-california")`;
`make_vec` gives a batch of them.
"""

from __future__ import annotations

import gymnasium

ENV_ID = "ebbflow/Fleet-v0"

if ENV_ID not in gymnasium.registry:
    gymnasium.register(
        id=ENV_ID,
        entry_point="ebbflow.envs.gym.env:FleetEnv",
        vector_entry_point="ebbflow.envs.gym.vector:FleetVectorEnv",
    )
