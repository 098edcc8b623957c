"""Renders and checks charts/leaver and compose.yaml. `.ci/chart` runs it."""

import os
import pathlib
import subprocess
import sys
import tempfile
import tomllib

import helm_python
import kubernetes_validate
import yaml

CHART = pathlib.Path("charts/leaver")
# The oldest one that the chart accepts, one in between and the newest one with a schema.
KUBERNETES = ["1.27", "1.32", "1.37"]
# These kinds are of the Prometheus operator, and no schema of Kubernetes has them.
CUSTOM = {"ServiceMonitor", "PrometheusRule"}
# Seconds of a stop beside the delay and the time for requests in flight: docs/OPERATIONS.md, "Stop".
REST_OF_STOP = 20

problems = []


def check(is_good, *words):
    if not is_good:
        problems.append(" ".join(str(word) for word in words))


def render(values):
    with helm_python.Chart.load(str(CHART)) as chart:
        files = chart.render(values, name="leaver", namespace="security")
    objects = []
    for path, text in files.items():
        if path.endswith(".txt"):
            check("<no value>" not in text, path, "has a missing value")
            continue
        objects += [one for one in yaml.safe_load_all(text) if one]
    return objects


def refused(values, words):
    try:
        render(values)
    except Exception as error:  # noqa: BLE001 - each kind of refusal is good
        check(words in str(error), "refused without", words, ":", error)
    else:
        problems.append(f"accepted: {values}")


def of_kind(objects, kind):
    return [one for one in objects if one["kind"] == kind]


def only(objects, kind):
    found = of_kind(objects, kind)
    check(len(found) == 1, len(found), "objects of kind", kind)
    return found[0]


def pods(objects):
    """Yields the name and the specification of every pod."""
    for one in objects:
        if one["kind"] == "Pod":
            yield one["metadata"]["name"], one["spec"]
        elif one["kind"] in ("Deployment", "Job"):
            yield one["metadata"]["name"], one["spec"]["template"]["spec"]


def check_schemas(title, objects):
    for version in KUBERNETES:
        for one in objects:
            if one["kind"] in CUSTOM:
                continue
            try:
                kubernetes_validate.validate(one, version, strict=True)
            except Exception as error:  # noqa: BLE001 - reported with its object
                problems.append(f"{title}: Kubernetes {version}: {one['kind']} {one['metadata']['name']}: {error}")


def check_pods(title, objects):
    for name, pod in pods(objects):
        where = f"{title}: pod of {name}:"
        security = pod["securityContext"]
        check(security["runAsNonRoot"] is True and security["runAsUser"] == 65532, where, "user", security)
        check(security["seccompProfile"] == {"type": "RuntimeDefault"}, where, "seccomp", security)
        check(pod.get("automountServiceAccountToken") is False, where, "has a token of the service account")
        check(pod.get("enableServiceLinks") is False, where, "gets LEAVER_SERVICE_HOST and others as variables")
        check(not any(pod.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")), where, "uses the host")
        for container in pod["containers"]:
            security = container["securityContext"]
            expected = {
                "allowPrivilegeEscalation": False,
                "privileged": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            check(security == expected, where, "security context", security)
            resources = container["resources"]
            check({"cpu", "memory"} <= resources["requests"].keys(), where, "requests", resources)
            check("memory" in resources["limits"], where, "no limit on memory")
            volumes = {volume["name"] for volume in pod.get("volumes", [])}
            for mount in container.get("volumeMounts", []):
                check(mount["name"] in volumes, where, "no volume", mount["name"])
                if mount["mountPath"].startswith("/etc/leaver"):
                    check(mount.get("readOnly") is True, where, "can write", mount)
            check_secrets(where, pod, container)


def check_secrets(where, pod, container):
    """Secrets are files that the variables point at, and never variables."""
    files = set()
    for volume in pod.get("volumes", []):
        check("secret" not in volume, where, "volume of a Secret with its default mode")
        if "projected" in volume:
            check(volume["projected"]["defaultMode"] == 0o440, where, "mode of secrets")
            for source in volume["projected"]["sources"]:
                files |= {f"/etc/leaver/secrets/{item['path']}" for item in source["secret"]["items"]}
    named = set()
    for variable in container.get("env", []):
        check("valueFrom" not in variable, where, "variable from elsewhere", variable["name"])
        if variable["name"].endswith("_FILE"):
            named.add(variable["value"])
            check(variable["value"].endswith("/" + variable["name"].removesuffix("_FILE")), where, variable)
        else:
            secret = any(word in variable["name"] for word in ("SECRET", "TOKEN", "DATABASE_URL"))
            check(not secret, where, "secret as a variable", variable["name"])
    check(files == named, where, "files and variables differ", files ^ named)
    check("envFrom" not in container, where, "envFrom")


def check_service(title, objects, is_migrated_by_job):
    deployment = only(objects, "Deployment")
    spec = deployment["spec"]
    pod = spec["template"]["spec"]
    container = pod["containers"][0]
    env = {variable["name"]: variable["value"] for variable in container["env"]}
    for probe, path in (("startupProbe", "live"), ("livenessProbe", "live"), ("readinessProbe", "ready")):
        check(container[probe]["httpGet"] == {"path": f"/health/{path}", "port": "admin"}, title, probe)
    stop = int(env["LEAVER__SERVER__DRAIN_DELAY"][:-1]) + int(env["LEAVER__SERVER__DRAIN_TIMEOUT"][:-1]) + REST_OF_STOP
    check(pod["terminationGracePeriodSeconds"] >= stop, title, "a stop takes up to", stop)
    check("lifecycle" not in container, title, "preStop is not needed beside drain_delay")
    # A pod gets no more requests before the listener closes: readiness fails in the delay.
    readiness = container["readinessProbe"]
    check(readiness["periodSeconds"] * readiness["failureThreshold"] < int(env["LEAVER__SERVER__DRAIN_DELAY"][:-1]), title, "delay")
    check(spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}, title, "strategy")
    check(env["LEAVER_CONFIG"] == "/etc/leaver/config/leaver.toml", title, "config")
    check(("--no-migrate" in container["args"]) == is_migrated_by_job, title, "who migrates", container["args"])
    check("DATABASE_URL_FILE" in env, title, "no database")
    check("checksum/config" in spec["template"]["metadata"]["annotations"], title, "no checksum")
    labels = spec["template"]["metadata"]["labels"]
    selector = spec["selector"]["matchLabels"]
    check(selector.items() <= labels.items(), title, "selector of the Deployment")
    check(not any(name.startswith(("helm.sh", "app.kubernetes.io/version")) for name in selector), title, "selector changes")
    ports = {port["name"] for port in container["ports"]}
    for service in of_kind(objects, "Service"):
        check(service["spec"]["selector"].items() <= labels.items(), title, "selector of", service["metadata"]["name"])
        check(service["spec"]["type"] == "ClusterIP", title, "service type")
        for port in service["spec"]["ports"]:
            check(port["targetPort"] in ports, title, "target port", port)
    check(len(of_kind(objects, "Service")) == 2, title, "services")
    for budget in of_kind(objects, "PodDisruptionBudget"):
        check(budget["spec"]["selector"]["matchLabels"].items() <= labels.items(), title, "selector of the budget")
    for config in of_kind(objects, "ConfigMap"):
        tomllib.loads(config["data"]["leaver.toml"])
    for hpa in of_kind(objects, "HorizontalPodAutoscaler"):
        problems.append(f"{title}: {hpa}")
    return deployment, env


def check_migration(title, objects, has_job):
    jobs = of_kind(objects, "Job")
    check(len(jobs) == int(has_job), title, len(jobs), "jobs")
    for job in jobs:
        annotations = job["metadata"]["annotations"]
        check(annotations["helm.sh/hook"] == "pre-install,pre-upgrade", title, annotations)
        pod = job["spec"]["template"]["spec"]
        check(pod["containers"][0]["args"][0] == "migrate", title, "args")
        # Whatever the Job uses exists before the release: the config is a hook with a lower weight.
        maps = {one["metadata"]["name"]: one["metadata"] for one in of_kind(objects, "ConfigMap")}
        config = next(volume for volume in pod["volumes"] if volume["name"] == "config")
        config = maps[config["configMap"]["name"]]["annotations"]
        check(config["helm.sh/hook"] == annotations["helm.sh/hook"], title, "hook of the config")
        check(int(config["helm.sh/hook-weight"]) < int(annotations["helm.sh/hook-weight"]), title, "order of hooks")
        check("serviceAccountName" not in pod, title, "service account of the release")
        # The owner's URL is in the Job only.
        owner = pod["volumes"][1]["projected"]["sources"][0]["secret"]["name"]
        others = yaml.safe_dump([one for one in objects if one["kind"] != "Job"])
        check(f"name: {owner}\n" not in others, title, "the owner's URL is elsewhere too")


def check_full(objects):
    title = "full"
    deployment, env = check_service(title, objects, True)
    ingress = only(objects, "Ingress")
    paths = [path for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]]
    check([path["path"] for path in paths] == ["/hr/webhooks"], title, "paths", paths)
    check(paths[0]["pathType"] == "Prefix", title, "path type")
    names = {service["metadata"]["name"] for service in of_kind(objects, "Service")}
    check(paths[0]["backend"]["service"]["name"] in names, title, "service of the ingress")
    policy = only(objects, "NetworkPolicy")["spec"]
    check(policy["policyTypes"] == ["Ingress", "Egress"], title, "policy types")
    check([rule["ports"][0]["port"] for rule in policy["ingress"]] == [8080, 8081], title, "ingress of the policy")
    check("from" in policy["ingress"][1], title, "the admin port is open to everyone")
    check({5432, 6432, 443, 53, 4318} == {port["port"] for rule in policy["egress"] for port in rule["ports"]}, title, "egress")
    for name in ("DATABASE_URL", "BAMBOOHR_WEBHOOK_SECRET", "MERGE_WEBHOOK_SECRET", "LEAVER_ADMIN_TOKEN"):
        check(f"{name}_FILE" in env, title, "no", name)
    image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    check("@sha256:" in image, title, image)
    check_monitoring(title, objects)


def check_monitoring(title, objects):
    """Checks the kinds of the Prometheus operator by hand: fields of the API monitoring.coreos.com/v1."""
    monitor = only(objects, "ServiceMonitor")
    check(monitor["apiVersion"] == "monitoring.coreos.com/v1", title, "version of the ServiceMonitor")
    admin = [one for one in of_kind(objects, "Service") if one["metadata"]["name"].endswith("-admin")][0]
    labels = admin["metadata"]["labels"]
    check(monitor["spec"]["selector"]["matchLabels"].items() <= labels.items(), title, "selector of the ServiceMonitor")
    # The alerts expect this job.
    check(labels[monitor["spec"]["jobLabel"]] == "leaver", title, "job")
    endpoint = monitor["spec"]["endpoints"][0]
    check(endpoint["port"] in {port["name"] for port in admin["spec"]["ports"]}, title, "port of the ServiceMonitor")
    check(endpoint["path"] == "/metrics", title, "path of the ServiceMonitor")
    check(set(monitor["spec"]) == {"jobLabel", "selector", "endpoints"}, title, "fields of the ServiceMonitor")
    rule = only(objects, "PrometheusRule")
    check(rule["apiVersion"] == "monitoring.coreos.com/v1", title, "version of the PrometheusRule")
    check(set(rule["spec"]) == {"groups"}, title, "fields of the PrometheusRule")
    original = yaml.safe_load((CHART / "files/rules.yml").read_text())
    check(rule["spec"] == original, title, "the rules are changed by the template")
    for group in rule["spec"]["groups"]:
        check(set(group) <= {"name", "interval", "rules"}, title, "fields of the group", group["name"])
        for one in group["rules"]:
            check(set(one) <= {"alert", "record", "expr", "for", "labels", "annotations"}, title, "fields of", one)
            check(isinstance(one["expr"], str), title, "expr of", one)


def check_compose():
    """Loads compose.yaml with podman-compose. Its only call of podman, for the version, is answered by a stand-in."""
    with tempfile.TemporaryDirectory() as folder:
        podman = pathlib.Path(folder, "podman")
        podman.write_text("#!/bin/sh\necho podman version 4.3.1\n")
        podman.chmod(0o755)
        keys = {"BAMBOOHR_WEBHOOK_SECRET": "one", "MERGE_WEBHOOK_SECRET": "another"}
        env = {"PATH": f"{folder}:{os.environ['PATH']}", "HOME": folder}

        def config(**more):
            program = pathlib.Path(sys.executable).with_name("podman-compose")
            return subprocess.run([program, "config"], env=env | more, capture_output=True, text=True)

        loaded = config(**keys)
        check(loaded.returncode == 0, "podman-compose:", loaded.stderr)
        services = yaml.safe_load(loaded.stdout)["services"]
        check(services["leaver"]["environment"]["LEAVER__ACCOUNTS__END_SESSIONS"].endswith('ANY($1)"]'), "compose: $$1")
        for volume in services["postgres"]["volumes"]:
            source = volume.split(":")[0]
            check(not source.startswith(".") or pathlib.Path(source).is_file(), "compose: no file", source)
        for name in keys:
            without = config(**{key: value for key, value in keys.items() if key != name})
            check(without.returncode != 0 and name in without.stderr, "compose: starts without", name)


def main():
    lint = helm_python.lint(str(CHART), strict=True)
    check(not [one for one in lint.get("messages", []) if "ERROR" in str(one)], "lint:", lint)
    sets = {
        "default": {},
        "full": yaml.safe_load((CHART / "ci/full-values.yaml").read_text()),
        "one role": yaml.safe_load((CHART / "ci/one-role-values.yaml").read_text()),
    }
    count = 0
    for title, values in sets.items():
        objects = render(values)
        count += len(objects)
        has_job = values.get("migration", {}).get("enabled", True)
        check_schemas(title, objects)
        check_pods(title, objects)
        check_migration(title, objects, has_job)
        if title == "full":
            check_full(objects)
        else:
            check_service(title, objects, has_job)
    default = render({})
    check(len(of_kind(default, "PodDisruptionBudget")) == 1, "default: no budget")
    check(len(of_kind(default, "NetworkPolicy")) == 1, "default: no network policy")
    check(only(default, "Deployment")["spec"]["replicas"] == 2, "default: replicas")
    check(not of_kind(default, "Ingress") and not [one for one in default if one["kind"] in CUSTOM], "default: needs more")
    one_role = render(sets["one role"])
    names = yaml.safe_dump(only(one_role, "Deployment"))
    check("BAMBOOHR" not in names and "MERGE_WEBHOOK_SECRET_FILE" in names, "one role: secrets")
    # A changed configuration replaces the pods, and nothing else does.
    annotations = lambda values: only(render(values), "Deployment")["spec"]["template"]["metadata"]["annotations"]
    check(annotations({}) != annotations({"config": "[log]\n"}), "a changed config replaces no pod")
    refused({"terminationGracePeriodSeconds": 44}, "terminationGracePeriodSeconds is 44")
    refused({"drain": {"delaySeconds": 30}}, "set it to 70 or more")
    refused({"replica": 3}, "replica")
    refused({"secrets": {"DATABASE_URL": None}}, "secrets.DATABASE_URL is missing")
    refused({"secrets": {"MERGE_WEBHOOK_SECRET": {"secret": "a"}}}, "key")
    refused({"image": {"digest": "latest"}}, "digest")
    check_compose()
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        sys.exit(1)
    print(f"chart: {count} objects with {len(sets)} sets of values fit Kubernetes {', '.join(KUBERNETES)}; compose.yaml loads")


main()
