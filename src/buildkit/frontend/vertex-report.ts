/**
 * A build's steps as BuildKit's vertices: FROM lines and what changes files, named `[stage 2/5] RUN …`; what changes the config alone
 * is none. Source: moby/buildkit frontend/dockerfile/dockerfile2llb/convert.go, prefixCommand.
 */
import type { ProgressMessage } from "../../api/system.ts";
import { errorKind } from "../../base/errors.ts";
import type { NamedContexts } from "../../builder/image-sources.ts";
import type { BuildPlan, BuildReport, PlannedStage, StageReport } from "../../builder/report.ts";
import { baseStage } from "../../builder/stages.ts";
import type { Instruction, Location, Stage } from "../../dockerfile/instructions.ts";
import type { Lookup } from "../../dockerfile/words/shell-words.ts";
import { type Digest, isSha256 } from "../../oci/digest.ts";
import { formatPlatform, type Platform, parsePlatform } from "../../oci/platform.ts";
import { formatReference, parseReference, withDefaultTag } from "../../oci/reference.ts";
import type { Progress, StatusProgress, VertexProgress } from "../progress.ts";
import { inVertexWords } from "./failures.ts";

export interface VertexReportOptions {
  /** Names that stand for other images. */
  named: NamedContexts | undefined;
  /** The one that is built for, where steps are named with it. */
  platform: Platform | undefined;
}

export class VertexReport implements BuildReport {
  private readonly progress: Progress;
  private readonly options: VertexReportOptions;
  private plan: BuildPlan = { metaArgs: [], stages: [], total: 0 };
  /** Platforms of named stages whose FROM line has one. */
  private readonly platforms = new Map<string, string>();
  /** Vertices of FROM lines by image: stages that begin with the same one share it. */
  private readonly fromVertices = new Map<string, VertexProgress>();
  private failure: { error: unknown; location: Location } | undefined;

  constructor(progress: Progress, options: VertexReportOptions) {
    this.progress = progress;
    this.options = options;
  }

  begin(plan: BuildPlan): void {
    this.plan = plan;
  }

  /** Where the step is that failed first. */
  get failedAt(): Location | undefined {
    return this.failure?.location;
  }

  stage(place: number): StageReport {
    const planned = this.plan.stages[place] as PlannedStage;
    const earlier = this.plan.stages.slice(0, place).map(({ stage }) => stage);
    return new VertexStage(this.progress, planned.stage, {
      name: stageName(this.plan, planned),
      target: this.options.platform,
      platforms: this.platforms,
      fromVertices: this.fromVertices,
      namedImage: (base) => this.options.named?.image(base),
      isStage: (base) => baseStage(earlier, base) !== undefined,
      failed: (error, location) => {
        const isFirst = this.failure === undefined;
        this.failure ??= { error, location };
        return isFirst || this.failure.error !== error;
      },
    });
  }
}

/** A stage that is alone needs no name. */
function stageName({ total }: BuildPlan, { index, stage }: PlannedStage): string {
  const alone = total === 1 && !stage.instructions.some(bringsAnother);
  return alone ? "" : (stage.name ?? `stage-${index}`);
}

function bringsAnother(instruction: Instruction): boolean {
  if (instruction.kind === "run") return instruction.mounts.length > 0;
  return (instruction.kind === "copy" || instruction.kind === "add") && instruction.from !== undefined;
}

interface VertexStageOptions {
  name: string;
  target: Platform | undefined;
  platforms: Map<string, string>;
  fromVertices: Map<string, VertexProgress>;
  /** The image that a name stands for where the client says so. */
  namedImage: (base: string) => string | undefined;
  /** Whether a FROM line's base is another stage. */
  isStage: (base: string) => boolean;
  /** False: another stage has failed with this before, and this one waited for it. */
  failed: (error: unknown, location: Location) => boolean;
}

class VertexStage implements StageReport {
  private readonly progress: Progress;
  private readonly options: VertexStageOptions;
  private total: number;
  private number = 0;
  /** Where it is another than the target's. */
  private platform: string | undefined;
  private location: Location;
  private vertex: VertexProgress | undefined;
  private last: VertexProgress | undefined;
  private readonly pulls = new Map<string, StatusProgress>();

  constructor(progress: Progress, stage: Stage, options: VertexStageOptions) {
    this.progress = progress;
    this.options = options;
    this.location = stage.location;
    this.total = stage.instructions.filter(changesFiles).length;
  }

  step(step: Stage | Instruction, lookup: Lookup): void {
    this.location = step.location;
    if ("kind" in step) this.begin(step, step.original, lookup);
    else this.from(step);
  }

  base(): void {
    this.complete();
  }

  triggers(count: number): void {
    this.total += count;
  }

  trigger(instruction: Instruction, lookup: Lookup): void {
    this.begin(instruction, `ONBUILD ${instruction.original}`, lookup);
  }

  warning(text: string): void {
    this.vertex?.log("stderr", Buffer.from(`WARNING: ${text}\n`));
  }

  pull({ id, status, progressDetail }: ProgressMessage): void {
    // Of layers, not of the name.
    if (!id || !status || !/^[0-9a-f]{12}$/.test(id) || !this.vertex) return;
    const found = this.pulls.get(id) ?? this.vertex.status(id, status);
    this.pulls.set(id, found);
    if (/^(Pull complete|Already exists)/.test(status)) found.complete();
    else found.update(progressDetail?.current ?? 0, progressDetail?.total ?? 0);
  }

  cached(): void {
    this.complete({ cached: true });
  }

  running(): void {}

  removed(): void {}

  output(stream: "stdout" | "stderr", text: string): void {
    this.vertex?.log(stream, Buffer.from(text));
  }

  reached(): void {
    this.complete();
  }

  finished(_image: Digest | undefined): void {}

  failed(error: unknown): void {
    const isOwn = errorKind(error) !== "canceled" && this.options.failed(error, this.location);
    // As clients know what was given up.
    this.complete({ error: isOwn ? inVertexWords(error) : "context canceled" });
  }

  private from({ base, platform, name }: Stage): void {
    const { platforms } = this.options;
    this.platform = platform || platforms.get(base.toLowerCase());
    if (this.platform && name) platforms.set(name.toLowerCase(), this.platform);
    if (base === "scratch" || this.options.isStage(base)) return;
    this.total++;
    const { fromVertices } = this.options;
    const known = fromVertices.get(base);
    if (known) {
      this.number++;
      this.last = known;
      return;
    }
    const named = this.options.namedImage(base);
    // A result of another build, which has its own steps.
    if (named !== undefined && isSha256(named)) return;
    if (named === undefined) this.number++;
    const vertex =
      named === undefined ? this.open(`FROM ${wholeName(base)}`) : this.openAs(`[context ${base}] ${named}`);
    fromVertices.set(base, vertex);
  }

  private begin(instruction: Instruction, text: string, lookup: Lookup): void {
    this.complete();
    if (!changesFiles(instruction)) return;
    this.number++;
    const hidden = secretVariables(instruction);
    const known = (name: string) => (hidden.has(name) ? "****" : lookup(name));
    this.open(expandKnown(withHeredocs(instruction, text), known));
  }

  private open(text: string): VertexProgress {
    const stage = [this.platformText(), this.options.name].filter(Boolean).join(" ");
    const place = `${String(this.number).padStart(String(this.total).length)}/${this.total}`;
    return this.openAs(`[${stage}${stage === "" ? "" : " "}${place}] ${text}`);
  }

  /** `linux/amd64->arm64`: the platform that the stage runs on, and the one that it is for. */
  private platformText(): string {
    const { target } = this.options;
    if (!target) return "";
    const own = this.platform ? parsePlatform(this.platform) : target;
    if (formatPlatform(own) === formatPlatform(target)) return formatPlatform(own);
    const shown = [target.architecture, target.variant].filter(Boolean).join("/");
    return `${formatPlatform(own)}->${own.os === target.os ? shown : formatPlatform(target)}`;
  }

  private openAs(name: string): VertexProgress {
    this.vertex = this.progress.vertex(name, this.last ? [this.last.digest] : []);
    this.vertex.start();
    return this.vertex;
  }

  private complete(options: { cached?: boolean; error?: string } = {}): void {
    if (!this.vertex) return;
    this.vertex.complete(options);
    this.last = this.vertex;
    this.vertex = undefined;
  }
}

function changesFiles({ kind }: Instruction): boolean {
  return kind === "run" || kind === "copy" || kind === "add" || kind === "workdir";
}

/** Variables whose values are the client's secrets. */
function secretVariables(instruction: Instruction): ReadonlySet<string> {
  if (instruction.kind !== "run") return new Set();
  return new Set(instruction.mounts.flatMap((mount) => /(?:^|,)env=(\w+)/.exec(mount)?.[1] ?? []));
}

/** `RUN <<EOF (first line...)` */
function withHeredocs(instruction: Instruction, text: string): string {
  if (instruction.kind !== "run") return text;
  const [first] = instruction.heredocs;
  if (!first) return text;
  const lines = first.content.trimEnd().split("\n");
  return `${text} (${lines[0]}${lines.length > 1 ? "..." : ""})`;
}

/** Variables that are set, replaced; the others stay as they are written. */
function expandKnown(text: string, lookup: Lookup): string {
  return text.replace(/(\\?)\$(?:\{(\w+)\}|(\w+))/g, (whole, escaped: string, braced?: string, plain?: string) =>
    escaped ? whole : (lookup(braced ?? (plain as string)) ?? whole),
  );
}

/** An image's name with registry and tag; what is none stays as it is. */
export function wholeName(name: string): string {
  try {
    return formatReference(withDefaultTag(parseReference(name)));
  } catch {
    return name;
  }
}
