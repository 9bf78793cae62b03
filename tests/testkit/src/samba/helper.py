"""Edits a Samba directory in its database files, as the system account, while the server runs or not.

Started with the path of an smb.conf. Reads one JSON object a line, {"do": <function>, ...arguments}, and answers with
one line: {"ok": <value>} or {"error": <text>}. Ends when its input ends.
"""

import base64
import json
import sys
import time
import uuid

import ldb
from samba import drs_utils
from samba.auth import system_session
from samba.credentials import Credentials
from samba.dcerpc import misc, security
from samba.ndr import ndr_pack, ndr_unpack
from samba.param import LoadParm
from samba.samdb import SamDB

SHOW_DELETED = "show_deleted:1"
RESET_PASSWORD = "00299570-246d-11d0-a768-00aa006e0529"
GET_CHANGES = "1131f6aa-9c07-11d1-f79f-00c04fc2dcd2"
NORMAL, DISABLED, NEVER_EXPIRES = 0x200, 0x2, 0x10000
GROUP_SCOPES = {"global": 0x2, "domain_local": 0x4, "universal": 0x8}
SECURITY_GROUP = -0x80000000
FILETIME_EPOCH_S = 11644473600

lp = LoadParm()
lp.load(sys.argv[1])
sam = SamDB(session_info=system_session(), lp=lp)
base = str(sam.domain_dn())


def text(value):
    return value if isinstance(value, bytes) else str(value).encode()


def find(which, deleted=False):
    """The entry that a DN, a GUID, a SID or a logon name stands for."""
    controls = [SHOW_DELETED] if deleted else []
    attrs = ["objectGUID", "objectSid", "sAMAccountName", "name", "userAccountControl", "isDeleted"]
    try:
        where = "<GUID=%s>" % uuid.UUID(which)
    except ValueError:
        where = "<SID=%s>" % which if which.startswith("S-1-") else which if "=" in which else None
    if where is not None:
        found = sam.search(where, ldb.SCOPE_BASE, attrs=attrs, controls=controls)
    else:
        name = ldb.binary_encode(which)
        found = sam.search(base, ldb.SCOPE_SUBTREE, "(sAMAccountName=%s)" % name, attrs=attrs, controls=controls)
        if len(found) == 0:
            found = sam.search(base, ldb.SCOPE_SUBTREE, "(&(name=%s)(objectClass=organizationalUnit))" % name,
                               attrs=attrs, controls=controls)
    if len(found) != 1:
        raise LookupError("%d objects in the test directory answer to %r" % (len(found), which))
    return found[0]


def dn_of(which):
    return str(find(which).dn)


def sid_of(which):
    return which if which.startswith("S-1-") else sid_in(find(which))


def sid_in(entry):
    return str(ndr_unpack(security.dom_sid, entry["objectSid"][0])) if "objectSid" in entry else None


def described(entry):
    return {
        "dn": str(entry.dn),
        "guid": str(ndr_unpack(misc.GUID, entry["objectGUID"][0])),
        "sid": sid_in(entry),
        "name": str(entry["sAMAccountName" if "sAMAccountName" in entry else "name"]),
    }


def change(which, flag, attribute, values, controls=None):
    message = ldb.Message(ldb.Dn(sam, dn_of(which)))
    message[attribute] = ldb.MessageElement([text(value) for value in values], flag, attribute)
    sam.modify(message, controls)


def identity():
    root = find(base)
    return {
        "base_dn": base,
        "domain_sid": sam.get_domain_sid(),
        "domain_guid": str(ndr_unpack(misc.GUID, root["objectGUID"][0])),
        "invocation_id": sam.get_invocation_id(),
    }


def entry(which, deleted=False):
    return described(find(which, deleted))


def child(rdn, name, parent):
    dn = ldb.Dn(sam, parent)
    dn.add_child("%s=x" % rdn)
    dn.set_component(0, rdn, name)
    return dn


def user_message(name, cn, parent, flags, attributes):
    message = ldb.Message(child("CN", cn, parent))
    message["objectClass"] = "user"
    message["sAMAccountName"] = name
    message["userAccountControl"] = str(flags)
    for attribute, values in attributes.items():
        message[attribute] = ldb.MessageElement([text(value) for value in values], ldb.FLAG_MOD_ADD, attribute)
    return message


def create_user(name, cn=None, parent=None, disabled=False, password=None, must_change=False, never_expires=False,
                attributes=None):
    attributes = dict(attributes or {})
    if "userPrincipalName" not in attributes:
        attributes["userPrincipalName"] = ["%s@%s" % (name, sam.domain_dns_name())]
    flags = NORMAL | (DISABLED if disabled else 0) | (NEVER_EXPIRES if never_expires else 0)
    if password is not None:
        attributes["clearTextPassword"] = [password.encode("utf-16-le")]
    message = user_message(name, cn or name, parent or "CN=Users," + base, flags, attributes)
    sam.add(message)
    if password is not None and must_change:
        set_values(str(message.dn), "pwdLastSet", ["0"])
    return described(find(str(message.dn)))


def bulk_users(prefix, count, group=None, parent=None):
    parent, domain, dns = parent or "CN=Users," + base, prefix.capitalize(), sam.domain_dns_name()
    members = []
    # Ten times as fast: ldb prepares no way back from each single addition.
    batch = SamDB(session_info=system_session(), lp=lp, options=["batch_mode:1"])
    for start in range(0, count, 1000):
        batch.transaction_start()
        try:
            for number in range(start, min(start + 1000, count)):
                name = "%s%06d" % (prefix, number)
                message = user_message(name, name, parent, NORMAL, {
                    "userPrincipalName": ["%s@%s" % (name, dns)],
                    "mail": ["%s@%s" % (name, dns)],
                    "displayName": ["%s %06d" % (domain, number)],
                    "givenName": [domain],
                    "sn": ["%06d" % number],
                })
                batch.add(message)
                members.append(str(message.dn))
        except BaseException:
            batch.transaction_cancel()
            raise
        batch.transaction_commit()
    if group is not None and members:
        message = ldb.Message(ldb.Dn(sam, dn_of(group)))
        message["member"] = ldb.MessageElement([text(dn) for dn in members], ldb.FLAG_MOD_ADD, "member")
        sam.modify(message)
    return len(members)


def create_group(name, cn=None, parent=None, scope="global", is_security=True, attributes=None):
    message = ldb.Message(child("CN", cn or name, parent or "CN=Users," + base))
    message["objectClass"] = "group"
    message["sAMAccountName"] = name
    kind = GROUP_SCOPES[scope] + (SECURITY_GROUP if is_security else 0)
    message["groupType"] = str(kind)
    for attribute, values in (attributes or {}).items():
        message[attribute] = ldb.MessageElement([text(value) for value in values], ldb.FLAG_MOD_ADD, attribute)
    sam.add(message)
    return described(find(str(message.dn)))


def create_ou(name, parent=None):
    dn = child("OU", name, parent or base)
    sam.add({"dn": dn, "objectClass": "organizationalUnit"})
    return described(find(str(dn)))


def add_members(group, members):
    change(group, ldb.FLAG_MOD_ADD, "member", [dn_of(member) for member in members])


def remove_members(group, members):
    change(group, ldb.FLAG_MOD_DELETE, "member", [dn_of(member) for member in members])


def set_members(group, members):
    change(group, ldb.FLAG_MOD_REPLACE, "member", [dn_of(member) for member in members])


def members(group):
    found = sam.search(dn_of(group), ldb.SCOPE_BASE, attrs=["member"])[0]
    return [str(value) for value in found.get("member", [])]


def set_values(which, attribute, values):
    change(which, ldb.FLAG_MOD_REPLACE, attribute, values)


def set_bytes(which, attribute, values):
    change(which, ldb.FLAG_MOD_REPLACE, attribute, [base64.b64decode(value) for value in values])


def get_values(which, attribute):
    found = sam.search(dn_of(which), ldb.SCOPE_BASE, attrs=[attribute])[0]
    values = found.get(attribute, [])
    try:
        return [bytes(value).decode() for value in values]
    except UnicodeDecodeError:
        return [bytes(value).hex() for value in values]


def rename(which, name):
    old = ldb.Dn(sam, dn_of(which))
    new = child(old.get_rdn_name(), name, str(old.parent()))
    sam.rename(old, new)
    return described(find(str(new)))


def move(which, parent):
    old = ldb.Dn(sam, dn_of(which))
    new = child(old.get_rdn_name(), old.get_rdn_value(), dn_of(parent))
    sam.rename(old, new)
    return described(find(str(new)))


def set_enabled(which, enabled):
    flags = int(str(find(which)["userAccountControl"]))
    set_values(which, "userAccountControl", [flags & ~DISABLED if enabled else flags | DISABLED])


def set_flag(which, flag, on):
    flags = int(str(find(which)["userAccountControl"]))
    set_values(which, "userAccountControl", [flags | flag if on else flags & ~flag])


def set_password(which, password):
    change(which, ldb.FLAG_MOD_REPLACE, "clearTextPassword", [password.encode("utf-16-le")])


def must_change_password(which):
    set_values(which, "pwdLastSet", ["0"])


def password_policy(name, minimum_length, applies_to):
    """A password settings object, stricter than the domain's policy by its length."""
    container = ldb.Dn(sam, "CN=Password Settings Container,CN=System," + base)
    dn = ldb.Dn(sam, str(container))
    dn.add_child("CN=X")
    dn.set_component(0, "CN", name)
    never = str(-(2**63))
    sam.add({
        "dn": dn,
        "objectClass": "msDS-PasswordSettings",
        "msDS-PasswordSettingsPrecedence": "1",
        "msDS-PasswordReversibleEncryptionEnabled": "FALSE",
        "msDS-PasswordHistoryLength": "0",
        "msDS-PasswordComplexityEnabled": "TRUE",
        "msDS-MinimumPasswordLength": str(minimum_length),
        "msDS-MinimumPasswordAge": "0",
        "msDS-MaximumPasswordAge": never,
        "msDS-LockoutThreshold": "0",
        "msDS-LockoutObservationWindow": "0",
        "msDS-LockoutDuration": "0",
        "msDS-PSOAppliesTo": dn_of(applies_to),
    })
    return str(dn)


def allow_reading(trustee, on):
    add_ace(on, "(A;CI;RPLCLORC;;;%s)" % sid_of(trustee))


def expire_account(which):
    set_values(which, "accountExpires", [filetime(time.time() - 86400)])


def filetime(seconds):
    return int((seconds + FILETIME_EPOCH_S) * 10_000_000)


def lock_out(which):
    """As the server does after too many wrong passwords; needs a lockout policy."""
    root = ldb.Message(ldb.Dn(sam, base))
    root["lockoutDuration"] = ldb.MessageElement(str(-30 * 60 * 10_000_000), ldb.FLAG_MOD_REPLACE, "lockoutDuration")
    sam.modify(root)
    # Relaxed: only the server itself may write a time other than 0 here.
    change(which, ldb.FLAG_MOD_REPLACE, "lockoutTime", [filetime(time.time())], ["relax:0"])


def set_primary_group(which, group):
    rid = sid_of(group).rsplit("-", 1)[1]
    set_values(which, "primaryGroupID", [rid])


def delete(which):
    sam.delete(dn_of(which), ["tree_delete:1"])


def restore(guid, parent=None):
    """Reanimates a deleted object under its last parent, or another."""
    where = "<GUID=%s>" % uuid.UUID(guid)
    found = sam.search(where, ldb.SCOPE_BASE, attrs=["lastKnownParent", "msDS-LastKnownRDN", "name", "isDeleted"],
                       controls=[SHOW_DELETED])[0]
    if "isDeleted" not in found:
        raise LookupError("%s isn't deleted" % guid)
    rdn = str(found["msDS-LastKnownRDN"]) if "msDS-LastKnownRDN" in found else str(found["name"]).split("\n")[0]
    new = child(found.dn.get_rdn_name(), rdn, parent or str(found["lastKnownParent"]))
    message = ldb.Message(found.dn)
    message["isDeleted"] = ldb.MessageElement([], ldb.FLAG_MOD_DELETE, "isDeleted")
    message["distinguishedName"] = ldb.MessageElement([str(new)], ldb.FLAG_MOD_REPLACE, "distinguishedName")
    sam.modify(message, [SHOW_DELETED])
    return described(find(guid))


def attribute_guid(attribute):
    found = sam.search(sam.get_schema_basedn(), ldb.SCOPE_ONELEVEL,
                       "(&(objectClass=attributeSchema)(lDAPDisplayName=%s))" % ldb.binary_encode(attribute),
                       attrs=["schemaIDGUID"])
    return str(ndr_unpack(misc.GUID, found[0]["schemaIDGUID"][0]))


def sddl(which):
    # The Deleted Objects container is itself deleted.
    found = sam.search(dn_shown(which), ldb.SCOPE_BASE, attrs=["nTSecurityDescriptor"], controls=[SHOW_DELETED])[0]
    descriptor = ndr_unpack(security.descriptor, found["nTSecurityDescriptor"][0])
    return descriptor.as_sddl(security.dom_sid(sam.get_domain_sid()))


def set_sddl(which, value):
    descriptor = security.descriptor.from_sddl(value, security.dom_sid(sam.get_domain_sid()))
    message = ldb.Message(ldb.Dn(sam, dn_shown(which)))
    message["nTSecurityDescriptor"] = ldb.MessageElement(ndr_pack(descriptor), ldb.FLAG_MOD_REPLACE,
                                                         "nTSecurityDescriptor")
    sam.modify(message, [SHOW_DELETED, "sd_flags:1:4"])


def dn_shown(which):
    return str(find(which, deleted=True).dn)


def add_ace(which, ace):
    """Puts an entry first: denials go before what allows."""
    before = sddl(which)
    at = before.index("(", before.index("D:"))
    set_sddl(which, before[:at] + ace + before[at:])


def deny_read(which, attribute, trustee):
    add_ace(which, "(OD;;RP;%s;;%s)" % (attribute_guid(attribute), sid_of(trustee)))


def deny_everything(which, trustee):
    add_ace(which, "(D;;RPLCLORC;;;%s)" % sid_of(trustee))


def allow_reset_password(trustee, on):
    # Inherited by everything below a container; on a person, the person's own entry.
    add_ace(on, "(OA;CI;CR;%s;;%s)" % (RESET_PASSWORD, sid_of(trustee)))


def allow_replication(trustee):
    add_ace(base, "(OA;;CR;%s;;%s)" % (GET_CHANGES, sid_of(trustee)))


def allow_reading_deleted(trustee):
    add_ace("CN=Deleted Objects," + base, "(A;;RPLCLORC;;;%s)" % sid_of(trustee))


def highest_usn():
    return int(sam.sequence_number(ldb.SEQ_HIGHEST_SEQ))


def pull(source_address, source_invocation_id, partition=None):
    """Replicates into this database from another domain controller, now, and only now."""
    credentials = Credentials()
    credentials.guess(lp)
    credentials.set_machine_account(lp)
    mine = misc.GUID(sam.get_invocation_id())
    source = misc.GUID(source_invocation_id)
    replicate = drs_utils.drs_Replicate("ncacn_ip_tcp:%s[seal]" % source_address, lp, credentials, sam, mine)
    nc = partition or base
    objects, links = replicate.replicate(nc, source, misc.GUID(sam.get_ntds_GUID()), full_sync=False)
    return {"objects": objects, "links": links}


COMMANDS = {name: value for name, value in globals().items() if callable(value) and not name.startswith("_")}

answers, sys.stdout = sys.stdout, sys.stderr
for line in sys.stdin:
    try:
        request = json.loads(line)
        answer = {"ok": COMMANDS[request.pop("do")](**request)}
    except Exception as error:
        answer = {"error": "%s: %s" % (type(error).__name__, error)}
    answers.write(json.dumps(answer) + "\n")
    answers.flush()
