/** The containers of this daemon: records in the database, live objects in memory, found by name, id or unique id prefix. */
import { conflict, internal, invalidArgument, notFound } from "../../base/errors.ts";
import { type Database, isUniqueViolation } from "../../metadata/database.ts";
import { Container } from "./container.ts";
import type { ContainerRecord } from "./container-record.ts";
import { linkNames, parseLink } from "./lifecycle/links.ts";

export class ContainerStore {
  private readonly byId = new Map<string, Container>();
  private readonly byName = new Map<string, Container>();
  /** Containers by the id of one that they link to. */
  private readonly linkedBy = new Map<string, Set<Container>>();
  private readonly database: Database;

  /** Loads every record. */
  constructor(database: Database) {
    this.database = database;
    for (const { doc } of database.all<{ doc: string }>("SELECT doc FROM containers ORDER BY rowid")) {
      this.remember(new Container(JSON.parse(doc) as ContainerRecord));
    }
  }

  /** In order of creation. */
  list(): Container[] {
    return [...this.byId.values()];
  }

  /** Throws `not-found`, or `invalid-argument` when a prefix is ambiguous, with Docker's messages. */
  get(nameOrId: string): Container {
    const found = this.find(nameOrId);
    if (!found) throw notFound(`No such container: ${nameOrId}`);
    return found;
  }

  find(nameOrId: string): Container | undefined {
    const name = nameOrId.replace(/^\//, "");
    const exact = this.byId.get(nameOrId) ?? this.byName.get(name) ?? this.findLinked(name);
    if (exact || !/^[a-f0-9]{1,63}$/.test(nameOrId)) return exact;
    const matches = this.list().filter(({ id }) => id.startsWith(nameOrId));
    if (matches.length > 1) throw invalidArgument(`Multiple IDs found with provided prefix: ${nameOrId}`);
    return matches[0];
  }

  /** The container's names: its own, and those of links to it, `/web/db`. */
  namesOf(container: Container): string[] {
    const links = this.parentsOf(container).map(({ parent, alias }) => `/${parent.record.name}/${alias}`);
    return [`/${container.record.name}`, ...links].sort();
  }

  /** Who is linked to a container, and what each calls it. */
  parentsOf(container: Container): { parent: Container; alias: string }[] {
    return [...(this.linkedBy.get(container.id) ?? [])].flatMap((parent) =>
      this.linksOf(parent)
        .filter(({ target }) => target === container)
        .map(({ linkName }) => ({ parent, alias: linkName.slice(linkName.lastIndexOf("/") + 1) })),
    );
  }

  /** The links of a container, by their full names. */
  linksOf(parent: Container): { linkName: string; target: Container }[] {
    return linkNames(parent.record, (id) => this.byId.get(id));
  }

  /** Ends a link, `web/db`. Throws in Docker's words when there is none. */
  unlink(name: string): void {
    const full = `/${name.replace(/^\//, "")}`;
    const end = full.lastIndexOf("/");
    if (end === 0) throw internal("Conflict, cannot remove the default link name of the container");
    const parent = this.byName.get(full.slice(1, end));
    if (!parent) throw internal(`Cannot get parent ${full.slice(0, end)} for link name ${full}`);
    const { hostConfig } = parent.record;
    const alias = full.slice(end + 1);
    hostConfig.Links = (hostConfig.Links ?? []).filter((link) => parseLink(link).alias !== alias);
    this.save(parent);
  }

  private findLinked(name: string): Container | undefined {
    const parent = name.includes("/") ? this.byName.get(name.slice(0, name.lastIndexOf("/"))) : undefined;
    return parent && this.linksOf(parent).find(({ linkName }) => linkName === `/${name}`)?.target;
  }

  /** Records a new container. Throws `conflict` when its name is taken. */
  add(record: ContainerRecord): Container {
    this.requireFree(record.name);
    const container = new Container(record);
    this.database.run("INSERT INTO containers VALUES (?, ?, ?)", record.id, record.name, JSON.stringify(record));
    this.remember(container);
    return container;
  }

  /** Writes a changed record. A container that has been deleted meanwhile stays deleted. */
  save(container: Container): void {
    this.database.run("UPDATE containers SET doc = ? WHERE id = ?", JSON.stringify(container.record), container.id);
  }

  rename(container: Container, name: string): void {
    this.requireFree(name);
    const previous = container.record.name;
    container.record.name = name;
    try {
      const doc = JSON.stringify(container.record);
      this.database.run("UPDATE containers SET name = ?, doc = ? WHERE id = ?", name, doc, container.id);
    } catch (error) {
      container.record.name = previous;
      throw isUniqueViolation(error) ? conflict(`name ${name} is in use`, { cause: error }) : error;
    }
    this.byName.delete(previous);
    this.byName.set(name, container);
  }

  delete(container: Container): void {
    this.database.run("DELETE FROM containers WHERE id = ?", container.id);
    this.byId.delete(container.id);
    this.linkedBy.delete(container.id);
    for (const parents of this.linkedBy.values()) parents.delete(container);
    this.byName.delete(container.record.name);
  }

  isNameFree(name: string): boolean {
    return !this.byName.has(name);
  }

  private requireFree(name: string): void {
    const holder = this.byName.get(name);
    if (!holder) return;
    throw conflict(
      `Conflict. The container name "/${name}" is already in use by container "${holder.id}". You have to remove (or rename) that container to be able to reuse that name.`,
    );
  }

  private remember(container: Container): void {
    this.byId.set(container.id, container);
    this.byName.set(container.record.name, container);
    for (const link of container.record.hostConfig.Links ?? []) {
      const { name: id } = parseLink(link);
      this.linkedBy.set(id, (this.linkedBy.get(id) ?? new Set()).add(container));
    }
  }
}
