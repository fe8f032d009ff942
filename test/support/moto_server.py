"""Moto's EC2 with what real fleets do and moto's do not: ClientToken, several overrides, and capacity that ends.

Prints its port. Tests steer it: POST /steer/capacity {"<type> <zone>": VMs that are left, or the error code of a refusal},
POST /steer/end {"id", "code", "message", "transition"}.
"""

import json
import os
import threading

from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.responses import ActionResult
from moto.ec2.models.fleets import Fleet
from moto.ec2.models.instances import StateReason
from moto.ec2.responses.fleets import Fleets
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

one_at_a_time = threading.Lock()
answers = {}
capacity = {}
refusals = []
moto_create_fleet = Fleets.create_fleet


def create_fleet(self):
    token = self._get_param("ClientToken")
    with one_at_a_time:
        if token is None or token not in answers:
            refusals.clear()
            answer = moto_create_fleet(self)
            answer.result["Errors"] = list(refusals)
            answers[token] = answer.result
        return ActionResult(answers[token])


def launch_spec_counts(fleet, wanted):
    counts = {}
    for spec in fleet.launch_specs:
        zone = fleet.ec2_backend.get_subnet(spec.subnet_id).availability_zone
        place = f"{spec.instance_type} {zone}"
        left = capacity.get(place, 10_000)
        free = left if isinstance(left, int) else 0
        taken = min(free, int(wanted) - sum(counts.values()))
        if taken > 0:
            counts[spec] = taken
            capacity[place] = free - taken
        if sum(counts.values()) >= wanted:
            break
        refusals.append({
            "LaunchTemplateAndOverrides": {
                "LaunchTemplateSpecification": spec.launch_template_spec,
                "Overrides": spec.overrides or {},
            },
            "Lifecycle": "spot",
            "ErrorCode": "InsufficientInstanceCapacity" if isinstance(left, int) else left,
            "ErrorMessage": f"There is no capacity for {place}.",
        })
    return counts, float(sum(counts.values()))


Fleets.create_fleet = create_fleet
Fleet.get_launch_spec_counts = launch_spec_counts


def steer(what, body):
    if what == "capacity":
        capacity.update(body)
    elif what == "end":
        backend = get_backend("ec2")[DEFAULT_ACCOUNT_ID][body.get("region", "us-east-1")]
        instance = backend.get_instance(body["id"])
        instance.terminate()
        instance._reason = body.get("transition", "")
        instance.state_reason = StateReason(body["message"], body["code"])


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if not path.startswith("/steer/"):
        return moto_application(environ, start_response)
    steer(path.removeprefix("/steer/"), json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))))
    start_response("204 No Content", [])
    return []


moto_application = DomainDispatcherApplication(create_backend_app)
server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler)
os.environ["MOTO_PORT"] = str(server.port)
print(server.port, flush=True)
server.serve_forever()
