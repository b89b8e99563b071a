/** Which events a `filters` query lets through: dockerd's own rules (daemon/events/filter.go), exact for some names, by prefix for others. */
import { matchesLabel } from "../../api/filters.ts";
import type { EventMessage, Filters } from "../../api/system.ts";

/** Event types that are also filter names, matched by prefix against the actor's id and name. */
const actorFilters = ["daemon", "container", "plugin", "volume", "network", "node", "service", "secret", "config"];

/** Actions that carry their detail after a colon (`exec_start: sh`); naming one of them makes the whole filter a prefix match. */
const actionsWithDetail = ["health_status", "exec_create", "exec_start"];

/** True when every filter that is given matches. An unknown filter name matches everything, as in dockerd. */
export function eventMatches(event: EventMessage, filters: Filters): boolean {
  return (
    matchesAction(event.Action, [...(filters["event"] ?? []), ...(filters["action"] ?? [])]) &&
    exact(filters["type"], event.Type) &&
    exact(filters["scope"], event.scope) &&
    actorFilters.every((name) => matchesActor(event, filters[name])) &&
    matchesImage(event, filters["image"]) &&
    matchesLabels(event.Actor.Attributes, filters["label"])
  );
}

function matchesAction(action: string, wanted: string[]): boolean {
  return wanted.some((value) => actionsWithDetail.includes(value)) ? prefix(wanted, action) : exact(wanted, action);
}

function matchesActor(event: EventMessage, wanted: string[] | undefined): boolean {
  return prefix(wanted, event.Actor.ID) || prefix(wanted, event.Actor.Attributes["name"] ?? "");
}

/** An image filter also finds the containers made from the image, with or without its tag. */
function matchesImage(event: EventMessage, wanted: string[] | undefined): boolean {
  const name = event.Actor.Attributes[event.Type === "image" ? "name" : "image"] ?? "";
  return [event.Actor.ID, name].some((value) => exact(wanted, value) || exact(wanted, withoutTag(value)));
}

function matchesLabels(attributes: Record<string, string>, wanted: string[] | undefined): boolean {
  return (wanted ?? []).every((label) => matchesLabel(attributes, label));
}

function exact(wanted: string[] | undefined, value: string): boolean {
  return wanted === undefined || wanted.length === 0 || wanted.includes(value);
}

function prefix(wanted: string[] | undefined, value: string): boolean {
  return wanted === undefined || wanted.length === 0 || wanted.some((start) => value.startsWith(start));
}

function withoutTag(name: string): string {
  const colon = name.lastIndexOf(":");
  return colon > name.lastIndexOf("/") ? name.slice(0, colon) : name;
}
