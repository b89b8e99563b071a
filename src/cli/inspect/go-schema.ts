/**
 * Go struct types from a compact notation, so that templates see the daemon's answers with the types docker's own client gives them.
 * One struct per entry: `Name:type`, `=key` when JSON calls the field otherwise, `?` for omitempty: `ID=Id:string Health?:*container.State`.
 */
import {
  anyType,
  boolType,
  floatType,
  type GoField,
  type GoType,
  intType,
  stringType,
  timeType,
} from "../format/template/go-type.ts";

const basics: Record<string, GoType> = {
  string: stringType,
  bool: boolType,
  int: intType,
  int64: { kind: "int", name: "int64" },
  float64: floatType,
  any: anyType,
  "time.Time": timeType,
  "time.Duration": { kind: "int", name: "time.Duration" },
  "struct{}": { kind: "struct", name: "struct {}", fields: [] },
};

/** Types by name, made when first asked for. */
export class GoSchema {
  private readonly source: Readonly<Record<string, string>>;
  private readonly made = new Map<string, GoType>();

  constructor(source: Readonly<Record<string, string>>) {
    this.source = source;
  }

  /** A type expression: `*container.State`, `[]string`, `map[string][]nat.PortBinding`. Throws on an unknown name. */
  type(name: string): GoType {
    const found = basics[name] ?? this.made.get(name);
    if (found) return found;
    const type = this.make(name);
    this.made.set(name, type);
    return type;
  }

  private make(name: string): GoType {
    if (name.startsWith("*")) return { kind: "pointer", name, elem: this.type(name.slice(1)) };
    if (name.startsWith("[]")) return { kind: "slice", name, elem: this.type(name.slice(2)) };
    if (name.startsWith("map[string]")) return { kind: "map", name, elem: this.type(name.slice("map[string]".length)) };
    const source = this.source[name];
    if (source === undefined) throw new Error(`no such type in the schema: ${name}`);
    // Fields are read later: types may refer to each other.
    const schema = this;
    let fields: GoField[] | undefined;
    return {
      kind: "struct",
      name,
      get fields() {
        fields ??= schema.fields(source);
        return fields;
      },
    };
  }

  private fields(source: string): GoField[] {
    return source
      .trim()
      .split(/\s+/)
      .filter((item) => item !== "")
      .map((item) => {
        const colon = item.indexOf(":");
        const [head, type] = [item.slice(0, colon), item.slice(colon + 1)];
        const [name = "", json] = head.replace(/\?$/, "").split("=");
        return { name, json: json ?? name, omitEmpty: head.endsWith("?"), type: this.type(type) };
      });
  }
}
