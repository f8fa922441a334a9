"""vLLM's `bench serve` as a program: the CPU package's own `vllm` command fails on a missing distribution name."""

import argparse

from vllm.benchmarks.serve import add_cli_args, main

parser = argparse.ArgumentParser()
add_cli_args(parser)
main(parser.parse_args())
