"""What the process is made of, put together from a configuration, and changed by one."""

import asyncio
import os
import socket
import ssl
import time
from collections.abc import Callable, Coroutine, Mapping
from functools import partial

from answerable.enforce.kill import Kills
from answerable.flows.own_tokens import OwnTokens
from answerable.model.config import PinnedIssuer, Tls
from answerable.model.errors import AnswerableError
from answerable.serving.issuers.keys import IssuerKeys
from answerable.serving.kills import KillFile, KillWatch
from answerable.serving.log import Log
from answerable.serving.processes.runs import Run, Runs
from answerable.serving.proofs import Nonces
from answerable.serving.secret import shared_secret
from answerable.serving.sockets import Bound, bind
from answerable.serving.tls import load_files, server_tls
from answerable.serving.wire.place import Served
from answerable.store.control.contract import Died
from answerable.store.control.opening import open_control
from answerable.sts.endpoints.admin import Admin
from answerable.sts.endpoints.introspect import Introspection
from answerable.sts.endpoints.proving import Proving
from answerable.sts.endpoints.public import Public
from answerable.sts.endpoints.revoke import Revocation
from answerable.sts.endpoints.runs import RunsEndpoint
from answerable.sts.http.door import Door, Handler, Routes
from answerable.sts.http.front import Front
from answerable.sts.http.metadata import base_of
from answerable.sts.recording.recorder import Recorder
from answerable.sts.serve.blocking import Blocking
from answerable.sts.serve.bounds import Bounds
from answerable.sts.serve.metrics import rendered
from answerable.sts.serve.owners import Owners
from answerable.sts.serve.plan import Plan

RENEWAL = 30  # seconds between two looks at which issuers' keys are due
SWEEP = 60  # seconds between two looks at what ended long ago
ROUND = 0.05  # seconds: several rounds of the loop
