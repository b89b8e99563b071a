/** Refusals that depend on a container's state, in Docker's words. */
import { conflict, type EngineError } from "../../base/errors.ts";
import type { Container } from "./container.ts";

export const notRunning = ({ id }: Container): EngineError => conflict(`container ${id} is not running`);

export const isPaused = ({ id }: Container): EngineError =>
  conflict(`container ${id} is paused, unpause the container before attach`);

export const isRestarting = ({ id }: Container): EngineError =>
  conflict(`container ${id} is restarting, wait until the container is running`);
