"""A host that a crash test kills: submits so many generations, says when, and waits for them.

Usage: ``python driver.py HOME BASE_URL COUNT``; with COUNT 0 it only finishes what is live.
"""

import asyncio
import os
import sys

from boards import Boards


async def main() -> None:
    """Submit, then wait until everything is final or unknown."""
    home, base_url, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    async with Boards(
        home=home,
        environment={**os.environ, "REPLICATE_API_TOKEN": "r8_crash"},
        allow_private_hosts=True,
        providers={"replicate": {"type": "replicate", "config": {"base_url": f"{base_url}/v1"}}},
    ) as boards:
        for index in range(count):
            generation = await boards.submit("replicate/flux-schnell", prompt=f"cat {index}")
            sys.stdout.write(f"{generation.id}\n")
            sys.stdout.flush()
        while live := await boards.list(
            phases=["queued", "submitting", "waiting", "fetching"], limit=1
        ):
            await boards.wait(live[0].id)
    sys.stdout.write("done\n")


if __name__ == "__main__":
    asyncio.run(main())
