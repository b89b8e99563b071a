/** `config.json` of the docker CLI (`~/.docker` or DOCKER_CONFIG), shared by both programs. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { errorCode, errorMessage } from "../base/errors.ts";

export interface ConfigValues {
  auths?: Record<string, { auth?: string; username?: string; password?: string; identitytoken?: string }>;
  HttpHeaders?: Record<string, string>;
  psFormat?: string;
  imagesFormat?: string;
  networksFormat?: string;
  volumesFormat?: string;
  statsFormat?: string;
  detachKeys?: string;
  currentContext?: string;
  credsStore?: string;
  credHelpers?: Record<string, string>;
  proxies?: Record<string, Record<string, string>>;
  [field: string]: unknown;
}

export interface ConfigFile {
  /** The folder: contexts and certificates live beside the file. */
  readonly directory: string;
  readonly values: ConfigValues;
  /** What is wrong with the file, to be printed as a warning. */
  readonly warning?: string;
}

/** Reads the file; a missing one is an empty one. Never throws: a broken file is a warning, as with docker. */
export function readConfigFile(directory: string): ConfigFile {
  const path = join(directory, "config.json");
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return { directory, values: {} };
    return { directory, values: {}, warning: `WARNING: Error loading config file: ${errorMessage(error)}` };
  }
  try {
    const values: unknown = JSON.parse(text);
    if (typeof values !== "object" || values === null) throw new Error("not a JSON object");
    return { directory, values: values as ConfigValues };
  } catch (error) {
    return { directory, values: {}, warning: `WARNING: Error loading config file: ${path}: ${errorMessage(error)}` };
  }
}

export function defaultConfigDirectory(env: Record<string, string | undefined>): string {
  return env["DOCKER_CONFIG"] || join(env["HOME"] || "/root", ".docker");
}
