// Loaded into a program from outside: on SIGUSR2 it leaves in a way of the test's choice, outside of every fiber.
const WAYS = {
  "process.exit": () => process.exit(7),
  "uncaught exception": () => {
    throw new Error("out of the blue,\n on two lines, with sk-ant-api03-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
  },
  "unhandled rejection": () => void Promise.reject(new Error("out of the blue")),
}

process.on("SIGUSR2", () => WAYS[process.env.LEAVING_WAY]())
