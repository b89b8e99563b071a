/** Container records for unit tests. */
import { Container } from "./container.ts";
import { type ContainerRecord, initialState } from "./container-record.ts";

export function testRecord(change: Partial<ContainerRecord> = {}): ContainerRecord {
  return {
    id: "a".repeat(64),
    name: "web",
    created: "2026-01-01T00:00:00Z",
    imageId: "sha256:1",
    layers: [],
    config: { Image: "debian", Cmd: ["bash"] },
    hostConfig: { NetworkMode: "bridge" },
    networking: undefined,
    mounts: [],
    state: initialState(),
    networkSettings: { Ports: {}, Networks: {} } as unknown as ContainerRecord["networkSettings"],
    restartCount: 0,
    manuallyStopped: false,
    removing: false,
    ...change,
  };
}

export function testContainer(change: Partial<ContainerRecord> = {}): Container {
  return new Container(testRecord(change));
}
