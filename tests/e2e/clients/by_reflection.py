"""A client that knows nothing of the suite but its address: what it calls, it learns by reflection.

Reads a JSON object from standard input (`target`, `ca_file`, `token_file`, and of a domain controller `domain_name`,
`server`, `server_ca`, `logon_name`, `password`), does what an integrator would do first, and prints what came of it as
JSON. Exits with 1 at the first thing that isn't as documented.
"""

import json
import sys

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from google.rpc import error_details_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from grpc_status import rpc_status

given = json.load(sys.stdin)
with open(given["ca_file"], "rb") as file:
    authority = file.read()
with open(given["token_file"], encoding="ascii") as file:
    token = file.read().strip()


def open_channel(with_token):
    credentials = grpc.ssl_channel_credentials(root_certificates=authority)
    if with_token:
        bearer = grpc.access_token_call_credentials(token)
        credentials = grpc.composite_channel_credentials(credentials, bearer)
    return grpc.secure_channel(given["target"], credentials)


channel = open_channel(with_token=True)
database = ProtoReflectionDescriptorDatabase(channel)
pool = descriptor_pool.DescriptorPool(database)


class Method:
    """A method, found by its name."""

    def __init__(self, service, name, on=channel):
        descriptor = pool.FindServiceByName(service).FindMethodByName(name)
        self.input = message_factory.GetMessageClass(descriptor.input_type)
        output = message_factory.GetMessageClass(descriptor.output_type)
        make = on.unary_stream if descriptor.server_streaming else on.unary_unary
        self.call = make(
            f"/{service}/{name}",
            request_serializer=self.input.SerializeToString,
            response_deserializer=output.FromString,
        )

    def __call__(self, **fields):
        return self.call(json_format.ParseDict(fields, self.input()), timeout=60)


def refusal(method, **fields):
    """The error of a call that must fail: its code, its reason, and the fields it complains about."""
    try:
        method(**fields)
    except grpc.RpcError as error:
        found = {"code": error.code().name, "message": error.details()}
        status = rpc_status.from_call(error)
        for detail in status.details if status else []:
            info = error_details_pb2.ErrorInfo()
            bad = error_details_pb2.BadRequest()
            if detail.Unpack(info):
                found["reason"], found["domain"] = info.reason, info.domain
            elif detail.Unpack(bad):
                found["fields"] = [violation.field for violation in bad.field_violations]
        return found
    sys.exit(f"{fields} was not refused")


DOMAINS = "hes.config.v1.DomainService"
create, get, listing = Method(DOMAINS, "CreateDomain"), Method(DOMAINS, "GetDomain"), Method(DOMAINS, "ListDomains")
test = Method(DOMAINS, "TestDomain")

settings = {
    "activeDirectory": {
        "domainName": given["domain_name"],
        "servers": [given["server"]],
        "caBundlePem": given["server_ca"],
    }
}
logon = {"activeDirectory": {"logonName": given["logon_name"], "password": given["password"]}}
before = listing()
known = create(domainId="known", domain=settings, skipCredentials=True)
created = create(domainId="corp", domain=settings, credentials=logon)
read = get(name="domains/corp")
# Asked for as one asks for pages, one a page.
pages, token_of_page = [], ""
while True:
    page = listing(pageSize=1, pageToken=token_of_page)
    pages.append([domain.name for domain in page.domains])
    token_of_page = page.next_page_token
    if not token_of_page:
        break
checks = [answer.check for answer in test(name="domains/corp")]
grades = checks[0].DESCRIPTOR.fields_by_name["grade"].enum_type.values_by_number

print(
    json.dumps(
        {
            "services": sorted(database.get_services()),
            "before": len(before.domains),
            "pages": pages,
            "known": json_format.MessageToDict(known),
            "created": json_format.MessageToDict(created),
            "read": json_format.MessageToDict(read),
            "checks": {check.id: grades[check.grade].name for check in checks},
            "refused": {
                "the same again": refusal(create, domainId="corp", domain=settings, skipCredentials=True),
                "invalid": refusal(
                    create,
                    domainId="lab",
                    domain={"activeDirectory": {"domainName": "lab.test", "servers": ["http://dc"]}},
                    skipCredentials=True,
                ),
                "missing": refusal(get, name="domains/nobody"),
                "foreign page": refusal(listing, pageToken="bogus"),
                "no token": refusal(Method(DOMAINS, "ListDomains", open_channel(with_token=False))),
            },
        }
    )
)
