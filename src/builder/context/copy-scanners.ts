/** Looks at the files that COPY and ADD name: one confined process for each root, kept for the whole build, reads each file once. */
import type { CopyAnswer, CopyScan, CopyScanRequest } from "../../archive/copy-jobs.ts";
import { EngineError, internal } from "../../base/errors.ts";
import { selfArgv } from "../../base/self.ts";
import { type Bytes, lines } from "../../base/streams.ts";

export class CopyScanners implements AsyncDisposable {
  private readonly scanners = new Map<string, Scanner>();

  /** Rejects in Docker's words for what is not there. The tree below `root` must not change until this is disposed. */
  scan(root: string, request: CopyScanRequest): Promise<CopyScan> {
    let scanner = this.scanners.get(root);
    if (!scanner) {
      scanner = new Scanner(root);
      this.scanners.set(root, scanner);
    }
    return scanner.scan(request);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.scanners.values()].map((scanner) => scanner.close()));
    this.scanners.clear();
  }
}

class Scanner {
  private readonly child: Bun.Subprocess<"pipe", "pipe", "ignore">;
  private readonly answers: AsyncGenerator<string>;
  private last: Promise<unknown> = Promise.resolve();

  constructor(root: string) {
    this.child = Bun.spawn(selfArgv("__archive", JSON.stringify({ verb: "copy-serve", root })), {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "ignore",
    });
    this.answers = lines(this.child.stdout as Bytes);
  }

  /** One request after the other: answers come in order. */
  scan(request: CopyScanRequest): Promise<CopyScan> {
    const answer = this.last.then(() => this.ask(request));
    this.last = answer.catch(() => undefined);
    return answer;
  }

  async close(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.child.exited;
  }

  private async ask(request: CopyScanRequest): Promise<CopyScan> {
    this.child.stdin.write(`${JSON.stringify(request)}\n`);
    this.child.stdin.flush();
    const { value } = await this.answers.next();
    if (value === undefined) throw internal("the process that looks at files to copy has ended");
    const answer = JSON.parse(value) as CopyAnswer;
    if ("error" in answer) throw new EngineError(answer.error.kind, answer.error.message);
    return answer.result;
  }
}
