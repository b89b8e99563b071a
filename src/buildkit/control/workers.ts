/** What clients are told of the one worker that this daemon is. Source: moby/buildkit api/types/worker.proto; moby builder-next/worker. */

import type { WorkerRecord } from "../../buildkit-api/protocol/messages.ts";
import { hostPlatform } from "../../oci/platform.ts";
import type { BuildkitDependencies } from "../parts.ts";

export function buildkitVersion({ version }: BuildkitDependencies): WorkerRecord["BuildkitVersion"] {
  return { package: "gantry", version: `v${version}`, revision: "" };
}

export function workerRecord(deps: BuildkitDependencies): WorkerRecord {
  const { os, architecture, variant = "" } = hostPlatform();
  return {
    ID: deps.engineId,
    Labels: {
      // With it clients use exporters (oci, docker) and pushing that dockerd has with the containerd image store only.
      "org.mobyproject.buildkit.worker.snapshotter": "gantry",
      "org.mobyproject.buildkit.worker.moby.host-gateway-ip": deps.hostGateway(),
    },
    platforms: [{ Architecture: architecture, OS: os, Variant: variant }],
    GCPolicy: [],
    BuildkitVersion: buildkitVersion(deps),
  };
}
