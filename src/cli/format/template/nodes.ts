/** The syntax tree of a template. `pos` is the offset that Go prints in run-time errors. */
export type Node = TextNode | ActionNode | BranchNode | LoopControlNode;

export interface TextNode {
  kind: "text";
  text: string;
}

export interface ActionNode {
  kind: "action";
  pipe: PipeNode;
  pos: number;
}

export interface BranchNode {
  kind: "if" | "range" | "with";
  pos: number;
  pipe: PipeNode;
  list: Node[];
  elseList?: Node[];
}

export interface LoopControlNode {
  kind: "break" | "continue";
}

export interface PipeNode {
  kind: "pipe";
  pos: number;
  isAssign: boolean;
  declared: string[];
  commands: CommandNode[];
}

export interface CommandNode {
  kind: "command";
  pos: number;
  args: Operand[];
}

export type Operand =
  | PipeNode
  | { kind: "dot"; pos: number }
  | { kind: "nil"; pos: number }
  | { kind: "bool"; pos: number; value: boolean }
  | { kind: "number"; pos: number; text: string; value: number; isInt: boolean }
  | { kind: "string"; pos: number; quoted: string; value: string }
  | { kind: "identifier"; pos: number; name: string }
  | { kind: "field"; pos: number; path: string[] }
  | { kind: "variable"; pos: number; path: string[] }
  | { kind: "chain"; pos: number; node: Operand; path: string[] };

/** A node written back as source, as Go shows it between `<` and `>` in run-time errors. */
export function showOperand(node: Operand): string {
  switch (node.kind) {
    case "dot":
      return ".";
    case "nil":
      return "nil";
    case "bool":
      return String(node.value);
    case "number":
      return node.text;
    case "string":
      return node.quoted;
    case "identifier":
      return node.name;
    case "field":
      return node.path.map((name) => `.${name}`).join("");
    case "variable":
      return node.path.join(".");
    case "chain": {
      const inner = showOperand(node.node);
      return (node.node.kind === "pipe" ? `(${inner})` : inner) + node.path.map((name) => `.${name}`).join("");
    }
    case "pipe":
      return showPipe(node);
  }
}

export function showCommand(command: CommandNode): string {
  return command.args.map((arg) => (arg.kind === "pipe" ? `(${showPipe(arg)})` : showOperand(arg))).join(" ");
}

function showPipe(pipe: PipeNode): string {
  const declared = pipe.declared.length > 0 ? `${pipe.declared.join(", ")} ${pipe.isAssign ? "=" : ":="} ` : "";
  return declared + pipe.commands.map(showCommand).join(" | ");
}
