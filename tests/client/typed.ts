import { errorOf, join, Parser, stream, StreamError, type Interrupt, type StreamEvent } from "./stream.js";

export async function page(signal: AbortSignal): Promise<string> {
  let text = "";
  let run: string | undefined;
  try {
    const options = {
      signal, resume: true, thread: "7", credentials: "include" as const,
      headers: async () => ({ Authorization: "Bearer x" }),
      onOpen: ({ url, threadId }: { url?: string; threadId?: string }) => { run = url ?? threadId; },
    };
    for await (const event of stream(new URL("https://example.com/chat"), { question: "Hi?" }, options)) {
      text += event.token;
      const questions: Interrupt[] = event.interrupted ?? [];
      const missing: number | undefined = event.gap?.last;
      text += `${questions.length} ${missing} ${event.data.anything}`;
    }
  } catch (error) {
    if (!(error instanceof StreamError)) throw error;
    const seconds: number | undefined = error.retryAfter;
    text += `${error.code} ${error.id} ${error.status} ${error.fields?.question} ${seconds}`;
  }
  if (run) for await (const event of join<{ token: string }>(run, { lastEventId: sessionStorage.getItem("id") })) text += event.data.token;
  return text;
}

export function typed(event: StreamEvent<{ mode: string }>): string {
  // @ts-expect-error
  const number: number = event.id;
  // @ts-expect-error
  return event.data.nothing + number;
}

export function frames(parser: Parser): string[] {
  return [...parser.parse("data: 1\n\n")].map((frame) => frame.data);
}

export async function refused(response: Response): Promise<string> {
  return (await errorOf(response)).message;
}

// @ts-expect-error
stream("/chat");
// @ts-expect-error
stream("/chat", {}, { resumes: true });
// @ts-expect-error
stream("/chat", {}, { lastEventId: "7" });
// @ts-expect-error
stream("/chat", {}, { method: "GET" });
// @ts-expect-error
join("/chat/runs/7", { thread: "7" });
