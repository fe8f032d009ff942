"""Moto's EC2 with what real fleets do and moto's do not: ClientToken, several overrides, and capacity that ends. And the
public parameters that say which image is Ubuntu's newest, and route tables that end with their stack.

Prints its port. Tests steer it: POST /steer/capacity {"<type> <zone>": VMs that are left, or the error code of a refusal},
POST /steer/end {"id", "code", "message", "transition"}, POST /steer/fail {"holds": [texts of a request's body], "code",
"message", "times", "carriedOut"}, POST /steer/forget {} for the client tokens.
"""

import io
import json
import os
import sys
import threading

from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.fleets import Fleet
from moto.ec2.models.instances import StateReason
from moto.ec2.models.route_tables import RouteTable
from moto.ec2.models.spot_requests import SpotInstanceRequest
from moto.ec2.responses.fleets import Fleets
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.ssm.models import Parameter, ParameterDict
from werkzeug.serving import make_server

sys.path.insert(0, os.path.dirname(__file__))
import moto_functions  # noqa: E402

one_at_a_time = threading.Lock()
answers = {}
capacity = {}
failures = []
refusals = []
moto_create_fleet = Fleets.create_fleet
moto_launch_instance = SpotInstanceRequest.launch_instance


def create_fleet(self):
    token = self._get_param("ClientToken")
    asked = sorted(self.querystring.items())
    with one_at_a_time:
        if token is None or token not in answers:
            refusals.clear()
            answer = moto_create_fleet(self)
            answer.result["Errors"] = list(refusals)
            answers[token] = (asked, answer.result)
        before, result = answers[token]
        if before != asked:
            raise EC2ClientError("IdempotentParameterMismatch", "The request differs from that which had the same token.")
        return ActionResult(result)


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


def spot_status(request):
    ended_at = getattr(request, "ended_at", None)
    return {"Code": request._status_code, "Message": "", "UpdateTime": ended_at or "2015-01-01T00:00:00.000Z"}


def launch_instance(request):
    instance = moto_launch_instance(request)
    instance.spot_instance_request_id = request.id
    return instance


def knows_ubuntu(self, key):
    knows_amazon(self, key)
    if str(key or "").startswith("/aws/service/canonical/"):
        dict.setdefault(self, key, [Parameter(
            account_id=self.account_id, name=key, value="ami-12c6146b", parameter_type="String", description=None,
            allowed_pattern=None, keyid=None, last_modified_date=0, version=1, data_type="aws:ec2:image",
        )])


def delete_route_table(self, account_id, region):
    self._associations.clear()
    get_backend("ec2")[account_id][region].delete_route_table(self.id)


RouteTable.delete = delete_route_table
knows_amazon = ParameterDict._check_loading_status
ParameterDict._check_loading_status = knows_ubuntu
Fleets.create_fleet = create_fleet
SpotInstanceRequest.launch_instance = launch_instance
SpotInstanceRequest.status = property(spot_status)
Fleet.get_launch_spec_counts = launch_spec_counts


def steer(what, body):
    if what == "capacity":
        capacity.update(body)
    elif what == "forget":
        answers.clear()
    elif what == "fail":
        failures.append(body)
    elif what == "functions":
        moto_functions.added_environment.update(body)
    elif what == "end":
        backend = get_backend("ec2")[DEFAULT_ACCOUNT_ID][body.get("region", "us-east-1")]
        instance = backend.get_instance(body["id"])
        instance.terminate()
        instance._reason = body.get("transition", "")
        instance.state_reason = StateReason(body["message"], body["code"])
        for request in backend.spot_instance_requests.values():
            if request.instance.id == body["id"]:
                request.state, request._status_code = "closed", "instance-terminated-no-capacity"
                request.ended_at = body.get("requestEndedAt")


def failure_of(body):
    for failure in failures:
        if failure["times"] > 0 and all(text in body for text in failure["holds"]):
            failure["times"] -= 1
            return failure
    return None


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path.startswith("/steer/"):
        steer(path.removeprefix("/steer/"), json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))))
        start_response("204 No Content", [])
        return []
    if failures and environ["REQUEST_METHOD"] == "POST":
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        failure = failure_of(body.decode())
        if failure is not None:
            if failure["carriedOut"]:
                list(moto_application(environ, lambda *_: None))
            status = "500 Internal Server Error" if failure["code"] == "InternalError" else "400 Bad Request"
            start_response(status, [("content-type", "text/xml")])
            error = f"<Error><Code>{failure['code']}</Code><Message>{failure['message']}</Message></Error>"
            return [f"<Response><Errors>{error}</Errors><RequestID>steered</RequestID></Response>".encode()]
    return moto_application(environ, start_response)


moto_application = DomainDispatcherApplication(create_backend_app)
server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler)
os.environ["MOTO_PORT"] = str(server.port)
print(server.port, flush=True)
server.serve_forever()
