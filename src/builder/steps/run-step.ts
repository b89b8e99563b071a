/** RUN: a container of the image so far runs the command; what it leaves becomes the step's layer. */
import type { HostConfig, Mount } from "../../api/container-config.ts";
import { canceled, invalidArgument, notImplemented } from "../../base/errors.ts";
import type { RunInstruction } from "../../dockerfile/instructions.ts";
import { shellOf } from "../../dockerfile/run-config.ts";
import { parseHeredocWord } from "../../dockerfile/words/heredocs.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Layer } from "../../snapshots/layer-store.ts";
import { runOn, type StageBuild } from "../stage-build.ts";
import { RunMounts } from "./run-mounts.ts";
import { RunOutput } from "./run-output.ts";
import { StepFailure } from "./step-failure.ts";

/** Marks the containers of steps: those that a killed daemon leaves are removed at the next start. */
export const stepAnnotation = "gantry.build.step";

/** One empty word: no entrypoint, not even the image's. */
const resetEntrypoint = [""];

export class RunStep {
  private readonly build: StageBuild;
  private readonly run: RunInstruction;

  constructor(build: StageBuild, run: RunInstruction) {
    this.build = build;
    this.run = run;
    if (run.devices.length > 0) throw notImplemented("RUN --device is not supported: no device is given to builds");
    if (run.security === "insecure") throw notImplemented("RUN --security=insecure is not allowed");
  }

  async execute(): Promise<void> {
    const { build, run } = this;
    const parent = build.state.image;
    if (parent === undefined) throw invalidArgument("RUN needs an image to run in: FROM scratch has no files");
    await using mounts = new RunMounts(build, run.mounts);
    await mounts.prepare();
    const command = this.command(mounts);
    const environment = this.argumentEnvironment();
    const noted = build.scope.steps.recordedArguments(build.state, environment);
    const recorded = noted.length > 0 ? [`|${noted.length}`, ...noted, ...command] : command;
    const heredocs = run.heredocs.map(({ content }) => content);
    const key = [recorded, heredocs, mounts.keys, run.network ?? ""];
    await build.scope.steps.files(build, { instruction: run, command: recorded }, key, (keep) =>
      this.inContainer({
        parent,
        command,
        // `RUN []` runs what the image is for; in dockerd, not where it has build arguments.
        entrypoint: recorded.length > 0 ? resetEntrypoint : (build.config.Entrypoint ?? null),
        environment: { ...environment, ...mounts.environment },
        mounts,
        keep,
      }),
    );
  }

  /** buildkit's dispatchRun: a heredoc alone is the script itself, with `#!` a program of its own. */
  private command(mounts: RunMounts): string[] {
    const { run, build } = this;
    const shell = shellOf(build.config);
    if (run.heredocs.length === 0) return run.shellForm ? [...shell, ...run.command] : run.command;
    const [first] = run.heredocs;
    const text = run.command[0] ?? "";
    const isAlone = parseHeredocWord(text.trim()) !== undefined;
    if (first && isAlone && first.content.startsWith("#!")) return [mounts.script(first.name, first.content)];
    if (first && isAlone) return [...shell, first.content];
    const whole = [text, ...run.heredocs.map(({ name, content }) => `${content}${name}`)].join("\n");
    return [...shell, whole];
  }

  private argumentEnvironment(): Record<string, string> {
    const configured = new Set((this.build.config.Env ?? []).map((entry) => entry.split("=", 1)[0] as string));
    return this.build.state.args.environment(configured);
  }

  private hostConfig(mounts: Mount[]): HostConfig {
    const { request } = this.build.scope;
    const network =
      this.run.network === undefined || this.run.network === "default" ? {} : { NetworkMode: this.run.network };
    return {
      ...request.host,
      ...network,
      LogConfig: { Type: "none" },
      Mounts: mounts,
      Annotations: { [stepAnnotation]: "1" },
    };
  }

  private async inContainer(step: {
    parent: Digest;
    command: string[];
    entrypoint: string[] | null;
    environment: Record<string, string>;
    mounts: RunMounts;
    keep: (layer: Layer) => Promise<Digest>;
  }): Promise<Digest> {
    const { build } = this;
    const { containers, snapshots, images, workers, request, signal, steps } = build.scope;
    const hostConfig = this.hostConfig(step.mounts.mounts);
    using network = hasNetwork(hostConfig) ? build.scope.networks.take() : undefined;
    const volumes = steps.mountsVolumes ? build.config.Volumes : undefined;
    const { Id: id, Warnings: warnings } = await containers.create(
      {
        ...build.config,
        Image: step.parent,
        Cmd: step.command,
        Entrypoint: step.entrypoint,
        Volumes: volumes ?? null,
        Env: [
          ...(build.config.Env ?? []),
          ...Object.entries(step.environment).map(([name, value]) => `${name}=${value}`),
        ],
        Healthcheck: { Test: ["NONE"] },
        HostConfig: hostConfig,
        ...(request.hostname && { Hostname: request.hostname }),
      },
      { imageVolumes: steps.mountsVolumes, networkOf: network?.of },
    );
    network?.use(id);
    let succeeded = false;
    let consumed = false;
    try {
      for (const warning of warnings) build.report.warning(warning);
      build.report.running(id);
      const code = await this.runToEnd(id);
      if (code !== 0) throw new StepFailure(step.command, code);
      using _held = images.hold();
      // A container that stays keeps its files.
      consumed = request.remove || request.forceRemove;
      const mountPoints = [
        ...step.mounts.mounts.flatMap(({ Target }) => (Target ? [{ path: Target, temporary: true }] : [])),
        ...Object.keys(volumes ?? {}).map((path) => ({ path, temporary: false })),
      ];
      const layer = await snapshots.commit(id, { signal, consume: consumed, mountPoints, run: runOn(workers) });
      const image = await step.keep(layer);
      succeeded = true;
      return image;
    } finally {
      if (consumed || request.forceRemove || (!succeeded && signal.aborted)) {
        await containers.remove(id, { force: true, volumes: true, link: false });
        if (succeeded) build.report.removed(id);
      }
    }
  }

  /** Resolves with the exit code once all output has come. */
  private async runToEnd(id: string): Promise<number> {
    const { report, scope } = this.build;
    const { containers, signal } = scope;
    const sink = new RunOutput((stream, text) => report.output(stream, text));
    const session = await containers.attach(id, {
      logs: false,
      stream: true,
      stdin: false,
      stdout: true,
      stderr: true,
    });
    const served = session.serve(sink);
    served.catch(() => undefined);
    // Not the build's signal: after an abort the container is killed, and its end is waited for all the same.
    const { result } = await containers.wait(id, "next-exit", new AbortController().signal);
    result.catch(() => undefined);
    const kill = () => void containers.kill(id, "SIGKILL").catch(() => undefined);
    try {
      await containers.start(id);
      signal.addEventListener("abort", kill, { once: true });
      if (signal.aborted) kill();
      const { StatusCode: code } = await result;
      await served;
      if (signal.aborted) throw canceled("Build cancelled");
      return code;
    } catch (error) {
      if (signal.aborted) throw canceled("Build cancelled");
      throw error;
    } finally {
      signal.removeEventListener("abort", kill);
      sink.destroy();
    }
  }
}

/** Whether the step's container gets one of its own. */
function hasNetwork({ NetworkMode: mode = "" }: HostConfig): boolean {
  return mode !== "none" && mode !== "host" && !mode.startsWith("container:");
}
