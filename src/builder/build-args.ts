/**
 * Build arguments and where they are seen: those of `--build-arg`, `ARG` before the first FROM (seen by FROM lines, and by a stage
 * that declares the name again), `ARG` in a stage. Source: Dockerfile reference, "ARG"; moby builder/dockerfile/buildargs.go.
 */
import { predefinedArgs } from "../dockerfile/known-args.ts";

const predefined = new Set(predefinedArgs);

/** Values given by the client; null: named without a value. */
export type GivenArgs = Readonly<Record<string, string | null>>;

export class BuildArgs {
  private readonly given: GivenArgs;
  private readonly global: ReadonlyMap<string, string | undefined>;
  private readonly declared = new Map<string, string | undefined>();
  private readonly referenced: Set<string>;

  private constructor(given: GivenArgs, global: ReadonlyMap<string, string | undefined>, referenced: Set<string>) {
    this.given = given;
    this.global = global;
    this.referenced = referenced;
  }

  /** The scope before the first FROM. */
  static global(given: GivenArgs, platform: Record<string, string>): BuildArgs {
    const scope = new BuildArgs(given, new Map(Object.entries(platform)), new Set());
    for (const name of Object.keys(platform)) scope.declared.set(name, undefined);
    return scope;
  }

  /** The scope of a stage: it sees of this (global) one only what it declares. */
  stage(): BuildArgs {
    const values = new Map([...this.global, ...this.declared.keys().map((name) => [name, this.get(name)] as const)]);
    return new BuildArgs(this.given, values, this.referenced);
  }

  declare(name: string, value: string | undefined): void {
    this.declared.set(name, value);
    this.referenced.add(name);
  }

  get(name: string): string | undefined {
    if (!this.declared.has(name) && !predefined.has(name)) return undefined;
    return this.given[name] ?? this.declared.get(name) ?? this.global.get(name);
  }

  /** Environment of RUN: every argument with a value that the image's own environment does not set. */
  environment(configured: ReadonlySet<string>): Record<string, string> {
    const found: Record<string, string> = {};
    for (const name of new Set([...this.declared.keys(), ...predefined]).values()) {
      const value = this.get(name);
      if (value !== undefined && !configured.has(name)) found[name] = value;
    }
    return found;
  }

  /** The proxies that no ARG names are left out of history and cache keys. */
  isTransparent(name: string): boolean {
    return predefined.has(name) && !this.declared.has(name);
  }

  /** What this scope has declared, in order, and the values; "" without one. */
  declarations(): [name: string, value: string][] {
    return [...this.declared.keys()].map((name) => [name, this.get(name) ?? ""]);
  }

  /** Names that the client gave and no ARG asked for, in any stage. */
  unused(): string[] {
    return Object.keys(this.given).filter((name) => !predefined.has(name) && !this.referenced.has(name));
  }
}
