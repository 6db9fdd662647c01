"""`make bench`: every benchmark, one after the other."""

from benchmarks import objects, platform, projects, serving

if __name__ == "__main__":
    platform.main()
    objects.main()
    projects.main()
    serving.main()
