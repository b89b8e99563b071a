import { describe, expect, test } from "bun:test";
import type { ContainerCreateRequest, ContainerInspect, ContainerSummary } from "../api/containers.ts";
import type { ImageInspect, ImageSummary } from "../api/images.ts";
import { conflict, notFound, notModified } from "../base/errors.ts";
import type { ContainerListOptions, LogsOptions } from "./backends.ts";
import { ask, bodyText, fakeHandler, request } from "./fake-engine.ts";

const message = (text: string) => ({ message: text });

describe("every answer", () => {
  const handler = fakeHandler({
    containers: {
      attach: async (id) => {
        if (id === "gone") throw notFound("No such container: gone");
        return { multiplexed: true, serve: async () => {} };
      },
    },
  });

  test("has the daemon's headers", async () => {
    const { status, headers, body } = await ask(handler, "GET /_ping");
    expect({ status, body }).toEqual({ status: 200, body: "OK" });
    expect(headers).toMatchObject({
      "Api-Version": "1.51",
      "Builder-Version": "2",
      "Docker-Experimental": "false",
      Ostype: "linux",
      Server: "Gantry/1.2.3 (linux)",
      Swarm: "inactive",
      "Cache-Control": "no-cache, no-store, must-revalidate",
    });
  });

  const refused: [string, number, unknown][] = [
    ["GET /nope", 404, message("page not found")],
    ["POST /v1.41/version", 404, message("page not found")],
    ["GET /v1.x/version", 404, message("page not found")],
    ["GET /version/", 404, message("page not found")],
    ["GET /v1.52/version", 400, message("client version 1.52 is too new. Maximum supported API version is 1.51")],
    [
      "GET /v1.12/version",
      400,
      "client version 1.12 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version\n",
    ],
    ["GET /containers/json?filters=x", 400, message("invalid filter")],
    ['GET /containers/json?filters={"foo":["x"]}', 400, message("invalid filter 'foo'")],
    ["GET /containers/json?limit=x", 400, message('strconv.Atoi: parsing "x": invalid syntax')],
    ["GET /events?since=1&until=0", 400, message("`since` time (1) cannot be after `until` time (0)")],
    ["GET /volumes?filters=x", 400, message("error reading volume filters: invalid filter")],
    ["GET /events?since=5&until=1", 400, message("`since` time (5) cannot be after `until` time (1)")],
    ["GET /containers/c/logs", 400, message("Bad parameters: you must choose at least one stream")],
    ["POST /containers/c/wait?condition=foo", 400, message('invalid condition: "foo"')],
    ["GET /containers/c/stats?stream=1&one-shot=1", 400, message("cannot have stream=true and one-shot=true")],
    ["GET /containers/c/archive", 400, message("bad parameter: pathcannot be empty")],
    ["POST /containers/c/resize", 400, message('invalid resize height "": invalid syntax')],
    ["POST /containers/c/attach?detachKeys=ctrl-x,foo", 400, message("Invalid detach keys (ctrl-x,foo) provided")],
    ["GET /containers/c/attach/ws", 400, message("not websocket protocol")],
    ["GET /containers/gone/attach/ws", 404, message("No such container: gone")],
    ["POST /containers/gone/attach", 404, "No such container: gone\r\n"],
    ["POST /containers/c/resize?h=-1&w=1", 400, message('invalid resize height "-1": value out of range')],
    ["POST /containers/c/rename", 400, message("Neither old nor new names may be empty")],
    ["POST /containers/c/exec", 400, message("No exec command specified")],
    ["DELETE /images/%20", 400, message("image name cannot be blank")],
    ["GET /system/df?type=foo", 400, message("unknown object type: foo")],
    ["GET /images/search?term=x&limit=a", 400, message('strconv.Atoi: parsing "a": invalid syntax')],
    ["POST /networks/create", 400, message("invalid name: name is empty")],
    ["POST /swarm/leave", 503, message("This node is not part of a swarm")],
    ["GET /plugins/x/json", 404, message('plugin "x" not found')],
    ["POST /plugins/pull?remote=x", 501, message("plugins are not built yet")],
    ["POST /plugins/x/set", 404, message('plugin "x" not found')],
  ];
  for (const [line, status, body] of refused) {
    test(`${line} is refused in dockerd's words`, async () => {
      expect(await ask(handler, line)).toMatchObject({ status, body });
    });
  }

  test("OPTIONS, plugins and swarm are as in a dockerd without swarm", async () => {
    expect(await ask(handler, "OPTIONS /any/thing")).toMatchObject({ status: 200, body: "" });
    expect(await ask(handler, "GET /plugins")).toMatchObject({ status: 200, body: [] });
    for (const path of ["/swarm", "/services", "/nodes", "/tasks", "/secrets", "/configs"]) {
      expect((await ask(handler, `GET ${path}`)).status).toBe(503);
    }
  });
});

test("disk usage: what was not asked for is null", async () => {
  const usage = { LayersSize: 0, Images: [], Containers: [], Volumes: [], BuildCache: [] };
  const handler = fakeHandler({ system: { diskUsage: async () => usage } });
  expect((await ask(handler, "GET /system/df?type=volume")).body).toEqual({
    ...{ LayersSize: 0, Images: null, Containers: null, Volumes: [], BuildCache: null },
  });
  expect((await ask(handler, "GET /system/df")).body).toEqual(usage);
  expect((await ask(handler, "GET /v1.41/system/df?type=volume")).body).toEqual(usage);
});

test("a session says which protocols it does not speak", async () => {
  const handler = fakeHandler({});
  const refusal = async (headers: Record<string, string>) =>
    JSON.stringify(await handler(request("POST /session", { headers })));
  expect(await refusal({})).toContain("no upgrade proto in request");
  expect(await refusal({ Upgrade: "foo" })).toContain("protocol foo not supported");
});

describe("errors of the engine", () => {
  test("become statuses; 304 has no body", async () => {
    const handler = fakeHandler({
      containers: {
        start: async () => {
          throw notModified("already started");
        },
        inspect: async (id) => {
          throw notFound(`No such container: ${id}`);
        },
        remove: async () => {
          throw conflict("You cannot remove a running container");
        },
        pause: async () => {
          throw new TypeError("a defect");
        },
      },
    });
    expect(await ask(handler, "POST /containers/c/start")).toMatchObject({ status: 304, body: "" });
    expect(await ask(handler, "GET /containers/web/json")).toMatchObject({
      status: 404,
      body: message("No such container: web"),
    });
    expect((await ask(handler, "DELETE /containers/c")).status).toBe(409);
    expect(await ask(handler, "POST /containers/c/pause")).toMatchObject({ status: 500, body: message("a defect") });
  });

  test("are counted by route, not by path", async () => {
    const seen: string[] = [];
    const handler = fakeHandler({}, { observe: (method, path, status) => seen.push(`${method} ${path} ${status}`) });
    await ask(handler, "GET /v1.41/containers/abc/json");
    await ask(handler, "GET /nope/at/all");
    expect(seen).toEqual(["GET /containers/{id}/json 500", "GET unknown 404"]);
  });

  test("after a load has begun are the stream's last message", async () => {
    const handler = fakeHandler({
      images: {
        load: async (_archive, { progress }) => {
          progress({ stream: "Loaded image: a\n" });
          throw notFound("the rest is gone");
        },
      },
    });
    const { status, body } = await ask(handler, "POST /images/load");
    expect(status).toBe(200);
    expect(
      String(body)
        .trim()
        .split("\r\n")
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([
      { stream: "Loaded image: a\n" },
      { errorDetail: { message: "the rest is gone" }, error: "the rest is gone" },
    ]);
  });

  test("before the first message of an import are a status", async () => {
    const handler = fakeHandler({
      images: {
        import: async () => {
          throw notFound("no such file");
        },
      },
    });
    expect((await ask(handler, "POST /images/create?fromSrc=-")).status).toBe(404);
  });
});

describe("JSON bodies", () => {
  const created: ContainerCreateRequest[] = [];
  const handler = fakeHandler({
    containers: {
      create: async (body) => {
        created.push(body);
        return { Id: "abc", Warnings: [] };
      },
    },
  });
  const create = (body: string | object, headers: Record<string, string> = { "Content-Type": "application/json" }) =>
    ask(handler, "POST /containers/create", { body, headers });

  const wrong: [string, string][] = [
    ["", "invalid JSON: got EOF while reading request body"],
    ['{"a', "invalid JSON: unexpected EOF"],
    ["x", "invalid JSON: invalid character 'x' looking for beginning of value"],
    ['{"Image":"x"} {}', "unexpected content after JSON"],
    ['{"Image":"x",}', "invalid JSON: invalid character '}' looking for beginning of object key string"],
    ['{"Image":3}', "invalid JSON: json: cannot unmarshal number into Go struct field .Image of type string"],
    [
      '{"HostConfig":{"Memory":"x"}}',
      "invalid JSON: json: cannot unmarshal string into Go struct field .HostConfig.Memory of type int64",
    ],
    [
      '{"HostConfig":{"Memory":1.5}}',
      "invalid JSON: json: cannot unmarshal number 1.5 into Go struct field .HostConfig.Memory of type int64",
    ],
    ["{}", "config cannot be empty in order to create a container"],
    ["null", "config cannot be empty in order to create a container"],
  ];
  for (const [body, text] of wrong) {
    test(`${body || "nothing"} is refused`, async () => {
      expect(await create(body)).toMatchObject({ status: 400, body: message(text) });
    });
  }

  test("must be declared as JSON", async () => {
    expect((await create("{}", { "Content-Type": "text/plain" })).body).toEqual(
      message("unsupported Content-Type header (text/plain): must be 'application/json'"),
    );
    expect((await create("{}", { "Content-Type": "application/json;;=" })).body).toEqual(
      message("malformed Content-Type header (application/json;;=): mime: invalid media parameter"),
    );
    expect((await create('{"Image":"x"}', { "Content-Type": "application/json; charset=utf-8" })).status).toBe(201);
  });

  test("are read as Go reads them: any case, unknown names dropped, null absent, a command as one string", async () => {
    created.length = 0;
    await create({ image: "x", Cmd: "ls", Foo: 1, Env: null, hostconfig: { Binds: ["a:b"] } });
    expect(created[0]).toEqual({ Image: "x", Cmd: ["ls"], HostConfig: { Binds: ["a:b"] } });
  });
});

describe("versions", () => {
  const createdBy = async (version: string, body: object): Promise<ContainerCreateRequest> => {
    let seen: ContainerCreateRequest | undefined;
    const handler = fakeHandler({
      containers: {
        create: async (given) => {
          seen = given;
          return { Id: "abc", Warnings: [] };
        },
      },
    });
    const { status, body: answer } = await ask(handler, `POST /${version}/containers/create`, { body });
    if (status !== 201) throw new Error((answer as { message: string }).message);
    return seen as ContainerCreateRequest;
  };

  test("1.24 gets the old defaults of create", async () => {
    const old = await createdBy("v1.24", {
      Image: "x",
      Healthcheck: { StartInterval: 5 },
      HostConfig: { KernelMemory: 4, PidsLimit: -1, Annotations: { a: "b" }, Mounts: [{ Type: "bind", Source: "/a" }] },
    });
    expect(old.HostConfig).toEqual({
      IpcMode: "shareable",
      CgroupnsMode: "host",
      KernelMemory: 4,
      Mounts: [{ Type: "bind", Source: "/a", BindOptions: { ReadOnlyNonRecursive: true } }],
    });
    expect(old.Healthcheck).toEqual({});
  });

  test("the newest gets what it sent", async () => {
    const host = { Annotations: { a: "b" }, Mounts: [{ Type: "bind", Source: "/a" }], KernelMemory: 4 };
    expect((await createdBy("v1.51", { Image: "x", HostConfig: host })).HostConfig).toEqual({
      Annotations: { a: "b" },
      Mounts: [{ Type: "bind", Source: "/a" }],
    });
  });

  test("a feature that a version has not is refused by name", async () => {
    const mount = { Type: "image", Source: "x", Target: "/x" };
    await expect(createdBy("v1.47", { Image: "x", HostConfig: { Mounts: [mount] } })).rejects.toThrow(
      'Mount type "Image" needs API v1.48 or newer',
    );
  });

  test("an address for the whole container is deprecated since 1.44", async () => {
    const handler = fakeHandler({ containers: { create: async () => ({ Id: "x", Warnings: ["other"] }) } });
    const body = { Image: "x", MacAddress: "02:42:ac:11:00:02" };
    const warnings = async (version: string) =>
      (await ask(handler, `POST /${version}/containers/create`, { body })).body;
    expect(await warnings("v1.43")).toMatchObject({ Warnings: ["other"] });
    expect(await warnings("v1.44")).toMatchObject({
      Warnings: [
        "other",
        "The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead.",
      ],
    });
  });

  test("a container's address moves to its endpoint, which must not have another", async () => {
    const MacAddress = "02:42:ac:11:00:02";
    for (const version of ["v1.43", "v1.51"]) {
      const old = await createdBy(version, { Image: "x", MacAddress });
      expect(old.NetworkingConfig?.EndpointsConfig).toEqual({ default: { MacAddress } });
    }
    const EndpointsConfig = { default: { MacAddress: "02:42:ac:11:00:03" } };
    await expect(createdBy("v1.51", { Image: "x", MacAddress, NetworkingConfig: { EndpointsConfig } })).rejects.toThrow(
      "the container-wide MAC address must match the endpoint-specific MAC address",
    );
  });

  test("inspect and list have the fields of the client's version", async () => {
    const endpoint = { MacAddress: "02:42:ac:11:00:02", GwPriority: 0, DNSNames: ["web"], Aliases: ["web"] };
    const inspected = {
      Id: "0123456789abcdef",
      Config: {},
      HostConfig: { Annotations: {}, CgroupnsMode: "host" },
      NetworkSettings: { MacAddress: "02:42:ac:11:00:02", Networks: { bridge: endpoint } },
    } as unknown as ContainerInspect;
    const listed = {
      Id: "0123456789abcdef",
      HostConfig: { NetworkMode: "bridge", Annotations: {} },
      NetworkSettings: { Networks: { bridge: endpoint } },
    } as unknown as ContainerSummary;
    const handler = fakeHandler({ containers: { inspect: async () => inspected, list: async () => [listed] } });
    const at = async (version: string) =>
      [
        (await ask(handler, `GET /${version}/containers/c/json`)).body as ContainerInspect,
        ((await ask(handler, `GET /${version}/containers/json`)).body as ContainerSummary[])[0] as ContainerSummary,
      ] as const;
    const [oldInspect, oldList] = await at("v1.40");
    expect(oldInspect.Config).toEqual({});
    expect(oldInspect.NetworkSettings.Networks["bridge"]).toEqual({
      ...endpoint,
      Aliases: ["web", "0123456789ab"],
    });
    expect(oldList.HostConfig).toEqual({ NetworkMode: "bridge" });
    const [newInspect, newList] = await at("v1.51");
    expect(newInspect).toEqual(inspected);
    expect(newList).toEqual(listed);
  });

  test("images have names, sizes and configurations as each version expects them", async () => {
    const image = { Id: "sha256:a", RepoTags: [], RepoDigests: [], Size: 5, Labels: null } as unknown as ImageSummary;
    const inspected = { Id: "sha256:a", Size: 5, Config: { Cmd: ["sh"] } } as unknown as ImageInspect;
    const handler = fakeHandler({ images: { list: async () => [image], inspect: async () => inspected } });
    const listed = async (version: string) =>
      ((await ask(handler, `GET /${version}/images/json`)).body as ImageSummary[])[0] as ImageSummary;
    expect(await listed("v1.42")).toMatchObject({
      RepoTags: ["<none>:<none>"],
      RepoDigests: ["<none>@<none>"],
      VirtualSize: 5,
    });
    image.RepoTags = ["a:1"];
    expect(await listed("v1.42")).toMatchObject({ RepoTags: ["a:1"], RepoDigests: null });
    image.RepoTags = [];
    expect(await listed("v1.43")).toMatchObject({ RepoTags: [], VirtualSize: 5 });
    expect(await listed("v1.44")).not.toHaveProperty("VirtualSize");
    const at = async (version: string, headers = {}) =>
      (await ask(handler, `GET /${version}/images/a/json`, { headers })).body as ImageInspect;
    expect(await at("v1.43")).toMatchObject({
      VirtualSize: 5,
      ContainerConfig: { Tty: false },
      Config: { Tty: false, Cmd: ["sh"] },
    });
    expect(await at("v1.45")).not.toHaveProperty("ContainerConfig");
    const forOldCompose = await at("v1.51", { "user-agent": "docker-compose/1.29.2 Linux/6.1" });
    expect(forOldCompose).toHaveProperty("ContainerConfig");
    expect((await at("v1.51")).Config).toEqual({
      ...{
        User: "",
        Env: null,
        Cmd: ["sh"],
        Volumes: null,
        WorkingDir: "",
        Entrypoint: null,
        OnBuild: null,
        Labels: null,
      },
    });
  });

  test("output is called multiplexed from 1.42 on, and only without a terminal", async () => {
    const seen: LogsOptions[] = [];
    const handler = fakeHandler({
      containers: {
        logs: async (id, options) => {
          seen.push(options);
          return { multiplexed: id !== "tty", body: (async function* () {})() };
        },
      },
    });
    const type = async (line: string) => (await handler(request(line))).headers?.["Content-Type"];
    expect(await type("GET /v1.41/containers/c/logs?stdout=1")).toBe("application/vnd.docker.raw-stream");
    expect(await type("GET /v1.42/containers/c/logs?stdout=1")).toBe("application/vnd.docker.multiplexed-stream");
    expect(await type("GET /v1.51/containers/tty/logs?stdout=1")).toBe("application/vnd.docker.raw-stream");
    await handler(request("GET /containers/c/logs?stderr=1&since=12.5&tail=7&follow=false&timestamps=true"));
    expect(seen.at(-1)).toMatchObject({
      stdout: false,
      stderr: true,
      since: 12_500_000_000n,
      tail: 7,
      follow: false,
      timestamps: true,
    });
  });

  test("waiting before 1.30 ignores the condition and answers late", async () => {
    const conditions: string[] = [];
    const handler = fakeHandler({
      containers: {
        wait: async (_id, condition) => {
          conditions.push(condition);
          return { result: Promise.resolve({ StatusCode: 3 }) };
        },
      },
    });
    expect((await ask(handler, "POST /v1.29/containers/c/wait?condition=removed")).body).toEqual({ StatusCode: 3 });
    const response = await handler(request("POST /containers/c/wait?condition=removed"));
    expect(typeof response.body).toBe("object");
    expect(await bodyText(response)).toBe('{"StatusCode":3}\n');
    expect(conditions).toEqual(["not-running", "removed"]);
  });
});

test("filters come in both forms, and the old since and before are filters too", async () => {
  const seen: ContainerListOptions[] = [];
  const handler = fakeHandler({
    containers: {
      list: async (options) => {
        seen.push(options);
        return [];
      },
    },
  });
  await ask(handler, 'GET /containers/json?all=True&filters={"label":{"a":true,"b":true}}');
  await ask(handler, 'GET /containers/json?all=0&limit=-1&since=web&before=x&filters={"label":["a"]}');
  expect(seen[0]).toMatchObject({ all: true, filters: { label: ["a", "b"] } });
  expect(seen[1]).toEqual({ all: false, limit: undefined, size: false, filters: { label: ["a"] } });
});

test("image names may have slashes, ports and tags", async () => {
  const names: string[] = [];
  const handler = fakeHandler({
    images: {
      history: async (name) => {
        names.push(name);
        return [];
      },
      tag: async (name, repo, tag) => void names.push(`${name} ${repo} ${tag}`),
    },
  });
  await ask(handler, "GET /images/host:5000/a/b:1/history");
  await ask(handler, "POST /v1.41/images/a%2Fb/tag?repo=c/d&tag=2");
  expect(names).toEqual(["host:5000/a/b:1", "a/b c/d 2"]);
});

test("an exec that the runtime cannot start says so in its output", async () => {
  const handler = fakeHandler({
    execs: {
      start: async () => {
        throw notFound('OCI runtime exec failed: exec failed: "nosuch": executable file not found in $PATH');
      },
    },
  });
  const response = await handler(request("POST /exec/e/start", { body: {}, headers: { Upgrade: "tcp" } }));
  expect(response.status).toBe(101);
  expect(response.headers?.["Content-Type"]).toBe("application/vnd.docker.multiplexed-stream");
});
