/** Runs parsed templates. Throws TemplateError with the words of Go's text/template. */
import { goQuote } from "../../../base/go-quote.ts";
import { builtins, type ParamType, rangeItems, type TemplateFunction } from "./funcs.ts";
import {
  asMap,
  boolType,
  elemType,
  floatType,
  GoObject,
  indirect,
  intType,
  isNilPointer,
  natural,
  resolve,
  stringType,
  truth,
  typed,
  type Val,
} from "./go-type.ts";
import {
  type BranchNode,
  type CommandNode,
  type Node,
  type Operand,
  type PipeNode,
  showCommand,
  showOperand,
} from "./nodes.ts";
import { parseTemplate, TemplateError } from "./parser.ts";
import { printValue, typeName } from "./print.ts";

export { TemplateError } from "./parser.ts";

export interface ExecuteOptions {
  functions?: Readonly<Record<string, TemplateFunction>>;
  /** A key that a map lacks is an error instead of `<no value>` (Go's `missingkey=error`). */
  missingKeyFails?: boolean;
}

export class Template {
  private readonly source: string;
  private readonly nodes: Node[];

  private readonly name: string;

  /** Throws TemplateError when the text is not a template; `name` stands in error messages. */
  constructor(source: string, name = "") {
    this.source = source;
    this.name = name;
    this.nodes = parseTemplate(source, (each) => Object.hasOwn(builtins, each), name);
  }

  /** The output for one value. Throws TemplateError. */
  execute(data: Val, options: ExecuteOptions = {}): string {
    const run = new Execution(this.source, this.name, data, options);
    try {
      run.walk(data, this.nodes);
    } catch (error) {
      if (error instanceof TemplateError) error.output = run.output;
      throw error;
    }
    return run.output;
  }
}

class LoopSignal {
  readonly kind: "break" | "continue";

  constructor(kind: "break" | "continue") {
    this.kind = kind;
  }
}

interface Place {
  pos: number;
  shown: string;
}

class Execution {
  output = "";
  private readonly source: string;
  private readonly name: string;
  private readonly functions: Readonly<Record<string, TemplateFunction>>;
  private readonly missingKeyFails: boolean;
  private readonly variables: { name: string; value: Val }[];

  constructor(source: string, name: string, data: Val, options: ExecuteOptions) {
    this.source = source;
    this.name = name;
    this.functions = options.functions ?? builtins;
    this.missingKeyFails = options.missingKeyFails ?? false;
    this.variables = [{ name: "$", value: data }];
  }

  private fail(place: Place, message: string): never {
    const before = this.source.slice(0, place.pos);
    const line = before.split("\n").length;
    const newline = before.lastIndexOf("\n");
    const column = newline < 0 ? place.pos : place.pos - newline;
    throw new TemplateError(
      `template: ${this.name}:${line}:${column}: executing ${goQuote(this.name)} at <${place.shown}>: ${message}`,
    );
  }

  walk(dot: Val, nodes: Node[]): void {
    for (const node of nodes) {
      if (node.kind === "text") this.output += node.text;
      else if (node.kind === "action") {
        const value = this.pipeline(dot, node.pipe);
        if (node.pipe.declared.length === 0) this.output += printValue(value);
      } else if ("pipe" in node) this.branch(dot, node);
      else throw new LoopSignal(node.kind);
    }
  }

  private branch(dot: Val, node: BranchNode): void {
    const scope = this.variables.length;
    if (node.kind === "range") this.range(dot, node);
    else {
      const value = this.pipeline(dot, node.pipe);
      if (truth(value)) this.walk(node.kind === "with" ? value : dot, node.list);
      else if (node.elseList) this.walk(dot, node.elseList);
    }
    this.variables.length = scope;
  }

  private range(dot: Val, node: BranchNode): void {
    const value = resolve(this.pipeline(dot, node.pipe, true));
    const items = rangeItems(value);
    if (!items && value && !isNilPointer(value)) {
      this.fail(pipePlace(node.pipe), `range can't iterate over ${printValue(value)}`);
    }
    if (!items || items.length === 0) {
      if (node.elseList) this.walk(dot, node.elseList);
      return;
    }
    const declared = node.pipe.declared;
    const mark = this.variables.length;
    for (const { key, item } of items) {
      const values = declared.length > 1 ? [key, item] : [item];
      declared.forEach((name, i) => {
        if (node.pipe.isAssign) this.assign(name, values[i]);
        else this.variables.push({ name, value: values[i] });
      });
      try {
        this.walk(item, node.list);
      } catch (error) {
        if (!(error instanceof LoopSignal)) throw error;
        if (error.kind === "break") break;
      } finally {
        this.variables.length = mark;
      }
    }
  }

  private assign(name: string, value: Val): void {
    const variable = this.variables.findLast((each) => each.name === name);
    if (variable) variable.value = value;
  }

  /** `inRange`: the range statement binds the variables itself, per element. */
  private pipeline(dot: Val, pipe: PipeNode, inRange = false): Val {
    let value: Val;
    let hasFinal = false;
    for (const command of pipe.commands) {
      value = resolve(this.command(dot, command, hasFinal ? [value] : []));
      hasFinal = true;
    }
    if (!inRange) {
      for (const name of pipe.declared) {
        if (pipe.isAssign) this.assign(name, value);
        else this.variables.push({ name, value });
      }
    }
    return value;
  }

  private command(dot: Val, command: CommandNode, final: Val[]): Val {
    const [first, ...args] = command.args as [Operand, ...Operand[]];
    const place = { pos: first.pos, shown: showOperand(first) };
    switch (first.kind) {
      case "field":
        return this.fields(dot, dot, first.path, place, args, final);
      case "variable":
        return this.variable(dot, first, args, final);
      case "chain":
        return this.fields(dot, this.operand(dot, first.node), first.path, place, args, final);
      case "identifier":
        return this.call(dot, first.name, command, args, final);
      case "nil":
        return this.fail(place, "nil is not a command");
    }
    if (args.length > 0 || final.length > 0)
      this.fail(place, `can't give argument to non-function ${showOperand(first)}`);
    return this.operand(dot, first);
  }

  private variable(dot: Val, node: Operand & { kind: "variable" }, args: Operand[], final: Val[]): Val {
    const [name, ...path] = node.path;
    const value = this.variables.findLast((each) => each.name === name)?.value;
    const place = { pos: node.pos, shown: showOperand(node) };
    if (path.length > 0) return this.fields(dot, value, path, place, args, final);
    if (args.length > 0 || final.length > 0)
      this.fail(place, `can't give argument to non-function ${showOperand(node)}`);
    return value;
  }

  private operand(dot: Val, node: Operand): Val {
    switch (node.kind) {
      case "dot":
        return dot;
      case "nil":
        return undefined;
      case "bool":
        return typed(boolType, node.value);
      case "string":
        return typed(stringType, node.value);
      case "number":
        return typed(node.isInt && !/[.eE]/.test(node.text.replace(/^0[xX].*/, "")) ? intType : floatType, node.value);
      case "pipe":
        return this.pipeline(dot, node);
      default:
        return this.command(dot, { kind: "command", pos: node.pos, args: [node] }, []);
    }
  }

  private fields(dot: Val, start: Val, path: string[], place: Place, args: Operand[], final: Val[]): Val {
    let value = start;
    path.forEach((name, i) => {
      const last = i === path.length - 1;
      value = this.field(dot, value, name, place, last ? args : [], last ? final : []);
    });
    return value;
  }

  private field(dot: Val, receiver: Val, name: string, place: Place, args: Operand[], final: Val[]): Val {
    const outer = resolve(receiver);
    if (!outer) {
      if (this.missingKeyFails) this.fail(place, `nil data; no entry for key ${goQuote(name)}`);
      return undefined;
    }
    const inner = indirect(outer);
    const { type, value } = inner as NonNullable<Val>;
    const hasArgs = args.length > 0 || final.length > 0;
    if (value instanceof GoObject) {
      if (Object.hasOwn(value.methods, name)) return this.method(dot, value, name, place, args, final);
      if (value.open && !hasArgs) return undefined;
    } else if (type.kind === "struct") {
      const field = type.fields?.find((each) => each.name === name);
      if (field) {
        if (hasArgs) this.fail(place, `${name} has arguments but cannot be invoked as function`);
        return typed(field.type, asMap(inner as NonNullable<Val>)[field.json || field.name]);
      }
    } else if (type.kind === "map") {
      if (hasArgs) this.fail(place, `${name} is not a method but has arguments`);
      const map = asMap(inner as NonNullable<Val>);
      if (Object.hasOwn(map, name)) return typed(elemType(inner as NonNullable<Val>), map[name]);
      if (this.missingKeyFails) this.fail(place, `map has no entry for key ${goQuote(name)}`);
      return undefined;
    } else if (isNilPointer(inner) && type.elem?.fields?.some((each) => each.name === name)) {
      this.fail(place, `nil pointer evaluating ${type.name}.${name}`);
    }
    return this.fail(place, `can't evaluate field ${name} in type ${outer.type.name}`);
  }

  private method(dot: Val, object: GoObject, name: string, place: Place, args: Operand[], final: Val[]): Val {
    const method = object.methods[name] as (...texts: string[]) => unknown;
    const given = args.length + final.length;
    if (given !== method.length)
      this.fail(place, `wrong number of args for ${name}: want ${method.length} got ${given}`);
    const texts = [...args.map((arg) => this.argument(dot, arg, "string")), ...final];
    return natural(
      method.apply(
        object.methods,
        texts.map((val) => String(resolve(val)?.value ?? "")),
      ),
    );
  }

  private call(dot: Val, name: string, command: CommandNode, args: Operand[], final: Val[]): Val {
    const definition = this.functions[name] as TemplateFunction;
    const place = { pos: command.args[0]?.pos ?? command.pos, shown: name };
    const want = definition.params.length;
    const given = args.length + final.length;
    if (definition.variadic ? given < want - 1 : given !== want) {
      const expected = definition.variadic ? `at least ${want - 1}` : String(want);
      this.fail(place, `wrong number of args for ${name}: want ${expected} got ${given}`);
    }
    if (name === "and" || name === "or") return this.shortCircuit(dot, name, args, final);
    const paramAt = (i: number): ParamType => definition.params[Math.min(i, want - 1)] ?? "any";
    const values = args.map((arg, i) => this.argument(dot, arg, paramAt(i)));
    for (const value of final)
      values.push(this.checkType(value, paramAt(values.length), { pos: place.pos, shown: showCommand(command) }));
    try {
      return definition.run(values);
    } catch (error) {
      if (error instanceof TemplateError || !(error instanceof Error)) throw error;
      return this.fail({ pos: place.pos, shown: showCommand(command) }, `error calling ${name}: ${error.message}`);
    }
  }

  private shortCircuit(dot: Val, name: "and" | "or", args: Operand[], final: Val[]): Val {
    let value: Val;
    for (const arg of args) {
      value = this.operand(dot, arg);
      if (truth(value) === (name === "or")) return value;
    }
    return final.length > 0 ? final[0] : value;
  }

  private argument(dot: Val, node: Operand, type: ParamType): Val {
    const place = { pos: node.pos, shown: node.kind === "pipe" ? `(${showOperand(node)})` : showOperand(node) };
    const literal = node.kind === "number" || node.kind === "string" || node.kind === "bool" || node.kind === "nil";
    const value = this.operand(dot, node);
    if (type === "any") return value;
    if (literal && kindOf(value) !== type) {
      if (node.kind === "nil") this.fail(place, `cannot assign nil to ${type}`);
      this.fail(place, `expected ${type === "int" ? "integer" : type}; found ${showOperand(node)}`);
    }
    return this.checkType(value, type, place);
  }

  private checkType(value: Val, type: ParamType, place: Place): Val {
    if (type === "any") return value;
    const inner = resolve(value);
    if (!inner) return this.fail(place, `invalid value; expected ${type}`);
    const followed = kindOf(inner) === type ? inner : indirect(inner);
    if (kindOf(followed) === type) return followed;
    return this.fail(place, `wrong type for value; expected ${type}; got ${typeName(inner)}`);
  }
}

function kindOf(val: Val): ParamType | undefined {
  const type = resolve(val)?.type;
  if (type?.kind === "slice") return type.elem?.kind === "string" ? "[]string" : undefined;
  return type?.kind === "string" || type?.kind === "int" ? type.kind : undefined;
}

function pipePlace(pipe: PipeNode): Place {
  return { pos: pipe.commands[0]?.pos ?? pipe.pos, shown: showOperand(pipe) };
}
