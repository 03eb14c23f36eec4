"""The command that starts an agent of another user."""

from tests.server.processes.launch_environment import LaunchEnvironment


def words(
    world: LaunchEnvironment, *command: str, options: tuple[str, ...] = ()
) -> list[str]:
    return world.words("-q", "--user", "nobody", *options, "--", *command, uid=0)
