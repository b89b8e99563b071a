/** Go's fmt.Sprintf, Sprint and Sprintln over template values. */
import { goQuote } from "../../../base/go-quote.ts";
import { resolve, type Val } from "./go-type.ts";
import { formatValue, typeName } from "./print.ts";

interface Spec {
  flags: string;
  width: number | undefined;
  precision: number | undefined;
}

/** Never throws: what does not fit is printed as Go prints it (`%!d(string=x)`, `%!s(MISSING)`, `%!(EXTRA …)`). */
export function sprintf(format: string, args: readonly Val[]): string {
  let next = 0;
  const out = format.replace(
    /%([-+# 0]*)(\*|\d+)?(?:\.(\*|\d*))?([a-zA-Z%]|$)/g,
    (_, flags: string, widthText: string | undefined, precisionText: string | undefined, verb: string) => {
      if (verb === "") return "%!(NOVERB)";
      const count = (text: string | undefined) =>
        text === "*" ? Number(resolve(args[next++])?.value ?? 0) : text === undefined ? undefined : Number(text);
      const spec = { flags, width: count(widthText), precision: count(precisionText) };
      if (verb === "%") return "%";
      if (next >= args.length) return `%!${verb}(MISSING)`;
      return formatVerb(verb, spec, args[next++]);
    },
  );
  if (next >= args.length) return out;
  const extra = args.slice(next).map((val) => (resolve(val) ? `${typeName(val)}=${formatValue(val, 0)}` : "<nil>"));
  return `${out}%!(EXTRA ${extra.join(", ")})`;
}

function formatVerb(verb: string, spec: Spec, arg: Val): string {
  const val = resolve(arg);
  const kind = val?.type.kind;
  if (verb === "v") return pad(formatValue(val, 0), spec);
  if (verb === "T") return pad(typeName(val), spec);
  if (kind === "slice" || kind === "map" || kind === "struct" || kind === "pointer") {
    // Go applies the verb to each element; that only differs from %v for rare ones.
    if (verb === "s" || verb === "d") return pad(formatValue(val, 0), spec);
    if (verb === "q" && kind === "slice") return pad(quoteAll(val), spec);
  }
  const text =
    kind === "string" || kind === "time"
      ? stringVerb(verb, spec, formatValue(val, 0))
      : kind === "int"
        ? intVerb(verb, spec, val?.value as number | bigint)
        : kind === "float"
          ? floatVerb(verb, spec, Number(val?.value))
          : kind === "bool" && verb === "t"
            ? String(val?.value ?? false)
            : undefined;
  if (text !== undefined) return pad(text, spec);
  return val ? `%!${verb}(${typeName(val)}=${formatValue(val, 0)})` : `%!${verb}(<nil>)`;
}

function quoteAll(val: Val): string {
  const items = Array.isArray(val?.value) ? val.value : [];
  return `[${items.map((item) => goQuote(String(item))).join(" ")}]`;
}

function stringVerb(verb: string, spec: Spec, text: string): string | undefined {
  const cut = spec.precision === undefined ? text : [...text].slice(0, spec.precision).join("");
  if (verb === "s") return cut;
  if (verb === "q") return goQuote(cut);
  const hex = () => Buffer.from(text).toString("hex");
  if (verb === "x") return hex();
  return verb === "X" ? hex().toUpperCase() : undefined;
}

const bases: Record<string, number> = { d: 10, x: 16, X: 16, o: 8, b: 2 };
const prefixes: Record<string, string> = { x: "0x", X: "0X", o: "0", b: "0b" };

function intVerb(verb: string, spec: Spec, value: number | bigint | undefined): string | undefined {
  const number = BigInt(value ?? 0);
  if (verb === "c") return String.fromCodePoint(Number(number));
  if (verb === "q") return `'${String.fromCodePoint(Number(number))}'`;
  if (verb === "U") return `U+${number.toString(16).toUpperCase().padStart(4, "0")}`;
  const base = bases[verb];
  if (base === undefined) return undefined;
  const digits = (number < 0n ? -number : number).toString(base).padStart(spec.precision ?? 0, "0");
  const shown =
    (spec.flags.includes("#") ? (prefixes[verb] ?? "") : "") + (verb === "X" ? digits.toUpperCase() : digits);
  return sign(number < 0n, spec) + shown;
}

function floatVerb(verb: string, spec: Spec, value: number): string | undefined {
  const size = Math.abs(value);
  const exponent = (text: string) => text.replace(/e([+-])(\d)$/, "e$10$2");
  switch (verb) {
    case "f":
    case "F":
      return sign(value < 0, spec) + size.toFixed(spec.precision ?? 6);
    case "e":
      return sign(value < 0, spec) + exponent(size.toExponential(spec.precision ?? 6));
    case "g":
      return (
        sign(value < 0, spec) +
        exponent(spec.precision ? String(Number(size.toPrecision(spec.precision))) : String(size))
      );
  }
  return undefined;
}

function sign(negative: boolean, spec: Spec): string {
  if (negative) return "-";
  return spec.flags.includes("+") ? "+" : spec.flags.includes(" ") ? " " : "";
}

function pad(text: string, { flags, width }: Spec): string {
  const missing = (width ?? 0) - [...text].length;
  if (missing <= 0) return text;
  if (flags.includes("-")) return text + " ".repeat(missing);
  if (!flags.includes("0")) return " ".repeat(missing) + text;
  const signed = /^[+-]/.test(text);
  return (signed ? text[0] : "") + "0".repeat(missing) + (signed ? text.slice(1) : text);
}

/** fmt.Sprint: a space between operands when neither is a string. */
export function sprint(args: readonly Val[]): string {
  let out = "";
  args.forEach((arg, index) => {
    const isString = (val: Val) => resolve(val)?.type.kind === "string";
    if (index > 0 && !isString(arg) && !isString(args[index - 1])) out += " ";
    out += formatValue(arg, 0);
  });
  return out;
}

export function sprintln(args: readonly Val[]): string {
  return `${args.map((arg) => formatValue(arg, 0)).join(" ")}\n`;
}
